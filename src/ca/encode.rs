//! A small writer of DER, for what is spliced together by hand. Pure.

/// An element of this tag whose content is given in parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len()).sum();
    let mut bytes = header(tag, len);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// What stands before a content of this length.
pub(crate) fn header(tag: u8, len: usize) -> Vec<u8> {
    let bytes = len.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros.min(bytes.len() - 1)..];
    match digits {
        [short @ 0..=0x7f] => vec![tag, *short],
        long => {
            // At most eight digits.
            let count = u8::try_from(long.len()).unwrap_or(8);
            [&[tag, 0x80 | count], long].concat()
        }
    }
}

/// A whole number.
pub(crate) fn integer(magnitude: &[u8], negative: bool) -> Vec<u8> {
    let mut content = vec![0];
    content.extend_from_slice(magnitude);
    if negative {
        // Two's complement: turn every bit around and add one.
        let mut carry = true;
        for byte in content.iter_mut().rev() {
            let (sum, carried) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, carried);
        }
    }
    let surplus = content.windows(2).take_while(|pair| {
        (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80)
    });
    let surplus = surplus.count();
    element(0x02, &[&content[surplus..]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_few_bytes_as_possible() {
        assert_eq!(header(0x30, 0), [0x30, 0]);
        assert_eq!(header(0x30, 127), [0x30, 127]);
        assert_eq!(header(0x30, 128), [0x30, 0x81, 128]);
        assert_eq!(header(0x30, 65536), [0x30, 0x83, 1, 0, 0]);
    }

    #[test]
    fn numbers_keep_their_sign() {
        for (magnitude, negative, content) in [
            (&[][..], false, &[0][..]),
            (&[0x7f], false, &[0x7f]),
            (&[0x80], false, &[0, 0x80]),
            (&[1], true, &[0xff]),
            (&[0x80], true, &[0x80]),
            (&[0x81], true, &[0xff, 0x7f]),
        ] {
            assert_eq!(integer(magnitude, negative)[2..], *content);
        }
    }
}
