//! PEM text cut into blocks, and their DER.
//!
//! OpenSSL's own readers ask for a password on the terminal if a certificate claims to be encrypted; so the blocks are
//! decoded here, and OpenSSL gets DER. Keys are the exception: their encryption is OpenSSL's business.

use openssl::base64;

/// What every block starts with.
const BEGIN: &str = "-----BEGIN ";

/// What ends the line of a label.
const DASHES: &str = "-----";

/// A block of PEM text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// The label, e.g. `CERTIFICATE`.
    pub(crate) label: &'a str,
    /// The text from its first dash to its last.
    pub(crate) text: &'a str,
    /// What stands between the two lines with the label.
    body: &'a str,
}

impl Block<'_> {
    /// The DER; `None` if the text is no base64, or has headers, which only encrypted keys need.
    pub(crate) fn der(&self) -> Option<Vec<u8>> {
        let digits: String = self.body.split_ascii_whitespace().collect();
        if digits.is_empty() || digits.contains(':') {
            return None;
        }
        base64::decode_block(&digits).ok()
    }
}

/// Whether the content is to be read as PEM.
pub(crate) fn is_pem(content: &[u8]) -> bool {
    memchr::memmem::find(content, BEGIN.as_bytes()).is_some()
}

/// The blocks in their order; whatever stands between them is skipped. A block that is cut short ends the list.
pub(crate) fn blocks(content: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let start = rest.get(rest.find(BEGIN)?..)?;
        let (label, inside) = start.strip_prefix(BEGIN)?.split_once(DASHES)?;
        let end = format!("-----END {label}-----");
        let (body, after) = inside.split_once(end.as_str())?;
        rest = after;
        Some(Block {
            label,
            text: start.get(..start.len() - after.len())?,
            body,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_other_text() {
        let text = "say\n-----BEGIN A B-----\nAQID\r\nBA==\n-----END A B-----\nand\n-----BEGIN C-----\n!\n-----END C-----\n\
            -----BEGIN D-----\nAQ==\n";
        let found: Vec<_> = blocks(text).collect();
        let labels: Vec<_> = found.iter().map(|block| block.label).collect();
        assert_eq!(labels, ["A B", "C"]);
        assert_eq!(found[0].der().as_deref(), Some(&[1, 2, 3, 4][..]));
        assert!(found[0].text.ends_with("-----END A B-----"));
        assert_eq!(found[1].der(), None);
    }

    #[test]
    fn odd_text_has_no_blocks() {
        for text in [
            "",
            "-----BEGIN ",
            "-----BEGIN X",
            "-----BEGIN X-----",
            "-----BEGIN X-----\n-----END Y-----",
        ] {
            assert_eq!(blocks(text).count(), 0, "{text}");
        }
        let empty = "-----BEGIN X----------END X-----";
        assert_eq!(blocks(empty).next().unwrap().der(), None);
        let headers = "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END X-----";
        assert_eq!(blocks(headers).next().unwrap().der(), None);
    }
}
