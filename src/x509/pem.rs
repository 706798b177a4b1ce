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

/// The PEM text of some DER: what OpenSSL writes, at a fraction of its cost.
pub(crate) fn text(label: &str, der: &[u8]) -> Vec<u8> {
    let mut text = format!("{BEGIN}{label}-----\n").into_bytes();
    text.extend(lines(der));
    text.extend(format!("-----END {label}-----\n").into_bytes());
    text
}

/// Base 64 in lines of 64 characters.
pub(crate) fn lines(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() * 4 / 3 + bytes.len() / 48 + 8);
    // 48 bytes make a line, so that whole ones can be encoded together.
    for line in base64::encode_block(bytes).as_bytes().chunks(64) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text
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
    use openssl::pkey::{Id, PKey};

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
    fn what_is_written_is_what_openssl_writes() {
        for length in [1, 47, 48, 49, 1000] {
            let der = vec![5; length];
            let written = text("A B", &der);
            let written = std::str::from_utf8(&written).unwrap();
            assert_eq!(blocks(written).next().unwrap().der(), Some(der));
            assert!(written.lines().all(|line| line.len() <= 64));
        }
        let key = PKey::private_key_from_raw_bytes(&[7; 32], Id::ED25519).unwrap();
        let der = key.public_key_to_der().unwrap();
        assert_eq!(text("PUBLIC KEY", &der), key.public_key_to_pem().unwrap());
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
