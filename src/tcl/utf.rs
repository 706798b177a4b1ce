//! Tcl's own UTF-8 to and from Rust's: NUL is two bytes, and Tcl 8 may write a character as two surrogates.

use std::borrow::Cow;
use std::ffi::CString;

/// Tcl's bytes as text; what is no text at all becomes U+FFFD.
pub(super) fn from_tcl(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(repaired(bytes)),
    }
}

/// Text as Tcl's bytes.
pub(super) fn to_tcl(text: &str) -> Cow<'_, [u8]> {
    match text.contains('\0') {
        false => Cow::Borrowed(text.as_bytes()),
        true => Cow::Owned(
            text.bytes()
                .flat_map(|byte| {
                    if byte == 0 {
                        vec![0xC0, 0x80]
                    } else {
                        vec![byte]
                    }
                })
                .collect(),
        ),
    }
}

/// Text as a C string in Tcl's encoding, which has no zero byte inside.
pub(super) fn to_c(text: &str) -> CString {
    CString::new(to_tcl(text).into_owned()).unwrap_or_default()
}

/// Decodes what isn't plain UTF-8: `C0 80` is NUL, a pair of encoded surrogates is one character.
fn repaired(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let (unit, used) = match rest {
            [0xC0, 0x80, ..] => (Some(0), 2),
            [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] => (
                Some(0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F)),
                3,
            ),
            _ => (None, 0),
        };
        if let Some(unit) = unit {
            units.push(unit);
            rest = &rest[used..];
            continue;
        }
        text.push_str(&String::from_utf16_lossy(&units));
        units.clear();
        let width = match first {
            0x00..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 0,
        };
        match rest
            .get(..width)
            .and_then(|character| std::str::from_utf8(character).ok())
        {
            Some(character) if width > 0 => {
                text.push_str(character);
                rest = &rest[width..];
            }
            _ => {
                text.push('\u{FFFD}');
                rest = tail;
            }
        }
    }
    text.push_str(&String::from_utf16_lossy(&units));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_goes_both_ways() {
        assert_eq!(from_tcl(b"a\xC0\x80b"), "a\0b");
        assert_eq!(to_tcl("a\0b").as_ref(), b"a\xC0\x80b");
    }

    #[test]
    fn surrogates_become_one_character() {
        assert_eq!(from_tcl(b"x\xED\xA0\xBD\xED\xB8\x80y"), "x\u{1F600}y");
    }

    #[test]
    fn what_is_no_text_is_marked() {
        assert_eq!(from_tcl(b"a\xFFb\xED\xA0\xBDc"), "a\u{FFFD}b\u{FFFD}c");
        assert_eq!(from_tcl(b"\xE2\x82"), "\u{FFFD}\u{FFFD}");
    }
}
