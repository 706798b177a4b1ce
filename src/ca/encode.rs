//! A small writer of DER, for what is spliced together by hand. Pure.

use std::cmp::Ordering;

/// An element of this tag whose content is given in parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len()).sum();
    let mut bytes = header(tag, len);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// What stands before a content of this length.
pub(crate) fn header(tag: u8, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    put_header(&mut bytes, tag, len);
    bytes
}

/// Adds what stands before a content of this length.
pub(crate) fn put_header(to: &mut Vec<u8>, tag: u8, len: usize) {
    let bytes = len.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros.min(bytes.len() - 1)..];
    to.push(tag);
    match digits {
        [short @ 0..=0x7f] => to.push(*short),
        long => {
            // At most eight digits.
            to.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            to.extend_from_slice(long);
        }
    }
}

/// Adds an element.
pub(crate) fn put(to: &mut Vec<u8>, tag: u8, content: &[u8]) {
    put_header(to, tag, content.len());
    to.extend_from_slice(content);
}

/// Adds a whole number.
pub(crate) fn put_integer(to: &mut Vec<u8>, magnitude: &[u8], negative: bool) {
    match (negative, magnitude.first()) {
        (false, None) => put(to, 0x02, &[0]),
        (false, Some(0..=0x7f)) => put(to, 0x02, magnitude),
        (false, Some(_)) => {
            put_header(to, 0x02, magnitude.len() + 1);
            to.push(0);
            to.extend_from_slice(magnitude);
        }
        (true, _) => to.extend(integer(magnitude, true)),
    }
}

/// The content of the element that bytes begin with, and what follows it. For what was written here.
pub(crate) fn first(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = match bytes {
        [_, short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [_, long, rest @ ..] => {
            let (digits, rest) = rest.split_at(usize::from(long & 0x7f).min(rest.len()));
            let len = digits
                .iter()
                .fold(0, |len, digit| len << 8 | usize::from(*digit));
            (len, rest)
        }
        _ => (0, &[][..]),
    };
    rest.split_at(len.min(rest.len()))
}

/// The order of two whole numbers by the contents of their elements, which have no surplus bytes.
pub(crate) fn compare_integers(one: &[u8], other: &[u8]) -> Ordering {
    let negative = |content: &[u8]| content.first().is_some_and(|first| *first >= 0x80);
    match (negative(one), negative(other)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
        (true, true) => other.len().cmp(&one.len()).then_with(|| one.cmp(other)),
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
            let mut added = Vec::new();
            put_integer(&mut added, magnitude, negative);
            assert_eq!(added[2..], *content);
        }
    }

    #[test]
    fn an_element_is_found_again() {
        for len in [0, 1, 127, 128, 255, 256, 65_536] {
            let content = vec![7; len];
            let mut bytes = element(0x30, &[&content]);
            bytes.extend_from_slice(b"rest");
            assert_eq!(first(&bytes), (&content[..], &b"rest"[..]), "{len}");
        }
        assert_eq!(first(&[]), (&[][..], &[][..]));
        assert_eq!(first(&[0x30]), (&[][..], &[][..]));
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let sorted: [(&[u8], bool); 8] = [
            (&[1, 0], true),
            (&[0x81], true),
            (&[0x80], true),
            (&[1], true),
            (&[], false),
            (&[0x7f], false),
            (&[0x80], false),
            (&[1, 0], false),
        ];
        let content =
            |(magnitude, negative): (&[u8], bool)| integer(magnitude, negative)[2..].to_vec();
        for (at, one) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                let order = compare_integers(&content(*one), &content(*other));
                assert_eq!(order, at.cmp(&other_at), "{one:?} {other:?}");
            }
        }
    }
}
