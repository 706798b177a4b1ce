//! A small reader of DER, for the parts of certificates that OpenSSL has no plain accessor for.
//!
//! Pure. Definite lengths in any form and indefinite lengths are read, because OpenSSL reads them too; strings cut
//! into pieces are not. Whatever is malformed is `None`: it comes from a stranger, so that is nothing unusual.

/// How deep indefinite lengths may nest; OpenSSL stops at about the same depth.
const MAX_NESTING: u8 = 30;

/// The universal tags that certificates use, constructed bit included where it belongs to them.
pub(crate) mod tag {
    /// BOOLEAN.
    pub(crate) const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub(crate) const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub(crate) const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub(crate) const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub(crate) const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub(crate) const OID: u8 = 0x06;
    /// ENUMERATED.
    pub(crate) const ENUMERATED: u8 = 0x0a;
    /// UTF8String.
    pub(crate) const UTF8: u8 = 0x0c;
    /// NumericString.
    pub(crate) const NUMERIC: u8 = 0x12;
    /// PrintableString.
    pub(crate) const PRINTABLE: u8 = 0x13;
    /// T61String, also called TeletexString.
    pub(crate) const T61: u8 = 0x14;
    /// IA5String.
    pub(crate) const IA5: u8 = 0x16;
    /// UTCTime.
    pub(crate) const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    /// VisibleString.
    pub(crate) const VISIBLE: u8 = 0x1a;
    /// GeneralString.
    pub(crate) const GENERAL: u8 = 0x1b;
    /// UniversalString.
    pub(crate) const UNIVERSAL: u8 = 0x1c;
    /// BMPString.
    pub(crate) const BMP: u8 = 0x1e;
    /// SEQUENCE.
    pub(crate) const SEQUENCE: u8 = 0x30;
    /// SET.
    pub(crate) const SET: u8 = 0x31;

    /// The context-specific tag `[number]` of a primitive value.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// The context-specific tag `[number]` of a constructed value.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One element: its identifier byte, its content and the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// The identifier byte, see [`tag`].
    pub(crate) tag: u8,
    /// What the element holds, without the end mark of an indefinite length.
    pub(crate) content: &'a [u8],
    /// Identifier, length and content.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The content, if the tag is the expected one.
    pub(crate) fn expect(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    /// The elements of the content, if the tag is the expected one.
    pub(crate) fn open(self, tag: u8) -> Option<Vec<Self>> {
        elements(self.expect(tag)?)
    }

    /// The text of a string element; `None` if its tag is no string's or its bytes are none of that kind.
    ///
    /// T61 is read as Latin-1, as OpenSSL does it.
    pub(crate) fn text(self) -> Option<String> {
        let bytes = self.content;
        match self.tag {
            tag::UTF8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            tag::NUMERIC | tag::PRINTABLE | tag::T61 | tag::IA5 | tag::VISIBLE | tag::GENERAL => {
                Some(bytes.iter().copied().map(char::from).collect())
            }
            tag::BMP => {
                let (units, rest) = bytes.as_chunks::<2>();
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                let text: Result<String, _> = char::decode_utf16(units).collect();
                text.ok().filter(|_| rest.is_empty())
            }
            tag::UNIVERSAL => {
                let (units, rest) = bytes.as_chunks::<4>();
                let mut units = units.iter().map(|unit| u32::from_be_bytes(*unit));
                let text = units.try_fold(String::new(), |mut text, unit| {
                    text.push(char::from_u32(unit)?);
                    Some(text)
                });
                text.filter(|_| rest.is_empty())
            }
            _ => None,
        }
    }
}

/// The one element that `bytes` consists of.
pub(crate) fn one(bytes: &[u8]) -> Option<Element<'_>> {
    let (element, rest) = first(bytes, 0)?;
    rest.is_empty().then_some(element)
}

/// The first element, whatever follows it.
pub(crate) fn head(bytes: &[u8]) -> Option<Element<'_>> {
    first(bytes, 0).map(|(element, _)| element)
}

/// All the elements that `bytes` consists of.
pub(crate) fn elements(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (element, after) = first(rest, 0)?;
        all.push(element);
        rest = after;
    }
    Some(all)
}

/// The first element, and what follows it.
fn first(bytes: &[u8], depth: u8) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after) = bytes.split_first()?;
    let (&length, after) = after.split_first()?;
    if tag & 0x1f == 0x1f || depth > MAX_NESTING {
        return None;
    }
    let (content, rest) = match length {
        0x80 if tag & 0x20 != 0 => up_to_end_mark(after, depth)?,
        0x80 => return None,
        _ => {
            let (length, after) = long_length(length, after)?;
            after.split_at_checked(length)?
        }
    };
    let whole = bytes.get(..bytes.len() - rest.len())?;
    let element = Element {
        tag,
        content,
        whole,
    };
    Some((element, rest))
}

/// The length that begins with the byte `first`, and what follows it.
fn long_length(first: u8, bytes: &[u8]) -> Option<(usize, &[u8])> {
    if first < 0x80 {
        return Some((usize::from(first), bytes));
    }
    let (digits, rest) = bytes.split_at_checked(usize::from(first & 0x7f))?;
    let length = digits.iter().try_fold(0_usize, |length, digit| {
        length.checked_mul(256)?.checked_add(usize::from(*digit))
    })?;
    Some((length, rest))
}

/// The content of an indefinite length, and what follows its end mark.
fn up_to_end_mark(bytes: &[u8], depth: u8) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    loop {
        if let Some(after) = rest.strip_prefix(&[0, 0]) {
            let content = bytes.get(..bytes.len() - rest.len())?;
            return Some((content, after));
        }
        (_, rest) = first(rest, depth + 1)?;
    }
}

/// Makes an element of a tag and its content.
pub(crate) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    let length = match digits {
        [] => vec![0],
        [short @ 0..0x80] => vec![*short],
        // A length has at most eight digits.
        _ => [&[0x80 | u8::try_from(digits.len()).unwrap_or(0)], digits].concat(),
    };
    [&[tag], length.as_slice(), content].concat()
}

/// An object identifier in dotted decimals.
pub(crate) fn oid(content: &[u8]) -> Option<String> {
    let mut arcs: Vec<u128> = Vec::new();
    let mut arc = 0_u128;
    let mut inside = false;
    for byte in content {
        arc = arc.checked_mul(128)?.checked_add(u128::from(byte & 0x7f))?;
        inside = byte & 0x80 != 0;
        if !inside {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let (&joint, others) = arcs.split_first().filter(|_| !inside)?;
    let top = (joint / 40).min(2);
    let mut text = format!("{top}.{}", joint - top * 40);
    for arc in others {
        text.push_str(&format!(".{arc}"));
    }
    Some(text)
}

/// A small integer.
pub(crate) fn integer(content: &[u8]) -> Option<i64> {
    let (&top, rest) = content.split_first().filter(|_| content.len() <= 8)?;
    let start = i64::from(top.cast_signed());
    let fold = |number: i64, byte: &u8| (number << 8) | i64::from(*byte);
    Some(rest.iter().fold(start, fold))
}

/// An integer of any size as upper-case hexadecimal digits, an even number of them, with `-` in front if negative.
pub(crate) fn integer_hex(content: &[u8]) -> String {
    let negative = content.first().is_some_and(|top| top & 0x80 != 0);
    let mut magnitude = content.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let digits = hex_upper(magnitude.get(zeros..).unwrap_or_default());
    match (negative, digits.is_empty()) {
        (_, true) => "00".to_owned(),
        (true, false) => format!("-{digits}"),
        (false, false) => digits,
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    digits(bytes, b"0123456789abcdef")
}

/// Bytes as upper-case hexadecimal digits.
pub(crate) fn hex_upper(bytes: &[u8]) -> String {
    digits(bytes, b"0123456789ABCDEF")
}

/// Bytes as digits of the given alphabet.
fn digits(bytes: &[u8], alphabet: &[u8; 16]) -> String {
    let digit = |value: u8| char::from(alphabet[usize::from(value & 0x0f)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// Bytes that should be ASCII, as text in which nothing hides: control characters and bytes above 126 become `\XX`,
/// and a backslash is doubled.
pub(crate) fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definite_and_indefinite_lengths_give_the_same_content() {
        let definite = one(&[0x30, 3, 2, 1, 5]).unwrap();
        let long = one(&[0x30, 0x82, 0, 3, 2, 1, 5]).unwrap();
        let indefinite = one(&[0x30, 0x80, 2, 1, 5, 0, 0]).unwrap();
        assert_eq!(definite.content, [2, 1, 5]);
        assert_eq!(definite.content, long.content);
        assert_eq!(definite.content, indefinite.content);
    }

    #[test]
    fn what_is_made_can_be_read() {
        for len in [0, 1, 127, 128, 255, 256, 65_536] {
            let content = vec![7; len];
            let made = wrap(tag::OCTET_STRING, &content);
            assert_eq!(
                one(&made).unwrap().expect(tag::OCTET_STRING),
                Some(content.as_slice())
            );
        }
    }

    #[test]
    fn malformed_bytes_are_none() {
        let cases: &[&[u8]] = &[
            &[],
            &[0x30],
            &[0x30, 5, 1],
            &[0x30, 0x80, 2, 1, 5],
            &[0x04, 0x80, 0, 0],
            &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            &[0x1f, 0x81, 0x01, 0],
            &[5, 0, 9],
        ];
        for case in cases {
            assert_eq!(one(case), None, "{case:?}");
        }
        assert_eq!(one(&[0x30, 0x80].repeat(100_000)), None);
    }

    #[test]
    fn integers_of_any_size_and_sign() {
        assert_eq!(integer_hex(&[0]), "00");
        assert_eq!(integer_hex(&[]), "00");
        assert_eq!(integer_hex(&[0, 0xff]), "FF");
        assert_eq!(integer_hex(&[0xff]), "-01");
        assert_eq!(integer_hex(&[0x80]), "-80");
        assert_eq!(integer_hex(&[0xff, 0x00]), "-0100");
        assert_eq!(integer_hex(&[0x12; 40]), "12".repeat(40));
        assert_eq!(integer(&[0xff]), Some(-1));
        assert_eq!(integer(&[1, 0]), Some(256));
        assert_eq!(integer(&[0; 9]), None);
        assert_eq!(integer(&[]), None);
    }

    #[test]
    fn object_identifiers() {
        assert_eq!(oid(&[0x55, 0x1d, 0x11]).unwrap(), "2.5.29.17");
        assert_eq!(oid(&[0x2a, 0x86, 0x48]).unwrap(), "1.2.840");
        assert_eq!(oid(&[0x88, 0x37]).unwrap(), "2.999");
        assert_eq!(oid(&[]), None);
        assert_eq!(oid(&[0x88]), None);
        assert_eq!(oid(&[[0xff; 30].as_slice(), &[1]].concat()), None);
    }

    #[test]
    fn strings_of_every_kind() {
        let text = |tag, content| {
            let whole = content;
            Element {
                tag,
                content,
                whole,
            }
            .text()
        };
        assert_eq!(text(tag::UTF8, "Zoë".as_bytes()).unwrap(), "Zoë");
        assert_eq!(text(tag::UTF8, b"\xff"), None);
        assert_eq!(text(tag::T61, b"Zo\xeb").unwrap(), "Zoë");
        assert_eq!(text(tag::BMP, b"\0Z\0o\0\xeb").unwrap(), "Zoë");
        assert_eq!(text(tag::BMP, b"\0Z\0"), None);
        assert_eq!(text(tag::BMP, b"\xd8\0"), None);
        assert_eq!(
            text(tag::UNIVERSAL, b"\0\x01\xf5\x11").unwrap(),
            "\u{1f511}"
        );
        assert_eq!(text(tag::UNIVERSAL, b"\0\x11\0\0"), None);
        assert_eq!(text(tag::OCTET_STRING, b"x"), None);
    }

    #[test]
    fn nothing_hides_in_visible_text() {
        assert_eq!(visible(b"a\0b\\c\x7f\xc3"), "a\\00b\\\\c\\7F\\C3");
    }
}
