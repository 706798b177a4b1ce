//! Looking into PEM text and DER bytes before OpenSSL reads them: what is there, and is it encrypted?
//!
//! Pure.

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
pub(super) fn der_pieces(content: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut pieces = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (header, len) = der_header(rest)?;
        let (piece, behind) = rest.split_at_checked(header.checked_add(len)?)?;
        pieces.push(piece);
        rest = behind;
    }
    Some(pieces.into_iter())
}

/// Whether a DER key is an `EncryptedPrivateKeyInfo`. That one starts with a sequence, every plain key with a number.
pub(super) fn der_encrypted(content: &[u8]) -> bool {
    der_header(content)
        .and_then(|(header, _)| content.get(header))
        .is_some_and(|tag| *tag == SEQUENCE)
}

/// The tag of a DER sequence.
const SEQUENCE: u8 = 0x30;

/// The length of the header of a DER sequence, and that of its content.
fn der_header(content: &[u8]) -> Option<(usize, usize)> {
    let (tag, rest) = content.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *tag != SEQUENCE {
        return None;
    }
    match usize::from(*first) {
        short @ ..0x80 => Some((2, short)),
        long => {
            let octets = rest.get(..long - 0x80)?;
            if octets.is_empty() || octets.len() > size_of::<u32>() {
                return None;
            }
            let len = octets
                .iter()
                .fold(0, |len, octet| len << 8 | usize::from(*octet));
            Some((2 + octets.len(), len))
        }
    }
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
        let pieces: Vec<_> = der_pieces(&content).unwrap().collect();
        assert_eq!(pieces, [&content[..3], &content[3..]]);
        assert!(der_pieces(&content[..7]).is_none());
        assert!(der_pieces(b"hello").is_none());
        assert!(der_pieces(&[0x30, 0x80]).is_none());
        assert!(der_encrypted(&[0x30, 3, 0x30, 1, 0]));
        assert!(!der_encrypted(&[0x30, 3, 0x02, 1, 0]));
    }
}
