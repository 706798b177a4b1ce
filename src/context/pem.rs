//! Looking into PEM text and DER bytes before OpenSSL reads them: what is there, and is it encrypted?
//!
//! Pure.

use crate::x509::der::{self, Element, tag};

/// What every PEM block starts with.
const BEGIN: &[u8] = b"-----BEGIN ";

/// What a line with a label ends with.
const DASHES: &[u8] = b"-----";

/// One block of PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// The label, e.g. `CERTIFICATE`.
    pub(super) label: &'a str,
    /// The text from its first dash to its last.
    pub(super) text: &'a [u8],
}

impl Block<'_> {
    /// Whether a password is needed to read it.
    pub(super) fn encrypted(&self) -> bool {
        self.label.starts_with("ENCRYPTED ") || find(self.text, b"Proc-Type: 4,ENCRYPTED").is_some()
    }
}

/// Whether the content is to be read as PEM.
pub(super) fn looks_like(content: &[u8]) -> bool {
    find(content, BEGIN).is_some()
}

/// The blocks in order. The last one may be cut short; OpenSSL will say so.
pub(super) fn blocks(content: &[u8]) -> impl Iterator<Item = Block<'_>> {
    let mut rest = content;
    std::iter::from_fn(move || {
        loop {
            let start = rest.get(find(rest, BEGIN)?..)?;
            let inside = start.get(BEGIN.len()..)?;
            let label = inside.get(..find(inside, DASHES)?)?;
            let Ok(label) = std::str::from_utf8(label) else {
                rest = inside;
                continue;
            };
            let end = format!("-----END {label}-----");
            let len = match find(start, end.as_bytes()) {
                Some(position) => position + end.len(),
                None => start.len(),
            };
            let (text, behind) = start.split_at(len);
            rest = behind;
            return Some(Block { label, text });
        }
    })
}

/// Says in words that something is missing, and what is there in its place.
pub(super) fn holds_instead(content: &[u8], missing: &str) -> String {
    let mut labels: Vec<&str> = Vec::new();
    for block in blocks(content) {
        if !labels.contains(&block.label) {
            labels.push(block.label);
        }
    }
    match labels.is_empty() {
        true => format!("no {missing} in it"),
        false => format!("no {missing} in it, only {}", labels.join(", ")),
    }
}

/// The DER values, one behind the other, that make up the content; `None` if it is anything else.
pub(super) fn der_pieces(content: &[u8]) -> Option<Vec<&[u8]>> {
    let elements = der::elements(content)?;
    elements
        .iter()
        .map(|element| (element.tag == tag::SEQUENCE).then_some(element.whole))
        .collect()
}

/// Whether a DER key is an `EncryptedPrivateKeyInfo`. That one starts with a sequence, every plain key with a number.
pub(super) fn der_encrypted(content: &[u8]) -> bool {
    first_inside(content).is_some_and(|first| first.tag == tag::SEQUENCE)
}

/// Whether DER content is a PKCS#12 archive. That one starts with the number 3; a certificate starts with a sequence.
pub(super) fn is_pkcs12(content: &[u8]) -> bool {
    first_inside(content).is_some_and(|first| first.expect(tag::INTEGER) == Some(&[3]))
}

/// The first element within a DER sequence.
fn first_inside(content: &[u8]) -> Option<Element<'_>> {
    let inside = der::one(content)?.open(tag::SEQUENCE)?;
    inside.first().copied()
}

/// Where a sequence of bytes first occurs.
fn find(content: &[u8], wanted: &[u8]) -> Option<usize> {
    content
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_between_other_text() {
        let text =
            b"Subject: x\n-----BEGIN A-----\naa\n-----END A-----\n\n-----BEGIN ENCRYPTED B-----\nb";
        let found: Vec<_> = blocks(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].label, "A");
        assert_eq!(found[0].text, b"-----BEGIN A-----\naa\n-----END A-----");
        assert!(!found[0].encrypted() && found[1].encrypted());
    }

    #[test]
    fn what_is_there_instead_is_told() {
        let text = b"-----BEGIN A-----\n-----END A-----\n-----BEGIN A-----\n-----END A-----\n";
        assert_eq!(holds_instead(text, "key"), "no key in it, only A");
    }

    #[test]
    fn der_is_cut_into_its_values() {
        let content = [0x30, 1, 5, 0x30, 0x81, 2, 6, 7];
        let pieces = der_pieces(&content).unwrap();
        assert_eq!(pieces, [&content[..3], &content[3..]]);
        assert!(der_pieces(&content[..7]).is_none());
        assert!(der_pieces(b"hello").is_none());
        assert!(der_pieces(&[0x30, 0x80]).is_none());
    }

    #[test]
    fn what_is_in_der_shows_at_its_start() {
        assert!(is_pkcs12(&[0x30, 3, 0x02, 1, 3]));
        assert!(!is_pkcs12(&[0x30, 3, 0x30, 1, 0]) && !is_pkcs12(b"hello"));
        assert!(der_encrypted(&[0x30, 3, 0x30, 1, 0]));
        assert!(!der_encrypted(&[0x30, 3, 0x02, 1, 0]));
    }
}
