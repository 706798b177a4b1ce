//! Quoted-printable text as a stream.
//!
//! Pure: std only.

use std::io::{self, Read};

use super::lines::Lines;
use super::translate::{Translate, Translated};

/// Reads what quoted-printable text stands for.
pub(crate) fn decode<R: Read>(text: R) -> Translated<Decoder<R>> {
    Translated::new(Decoder(Lines::new(text)), 0)
}

/// Decodes text line by line.
pub(crate) struct Decoder<R>(Lines<R>);

impl<R: Read> Translate for Decoder<R> {
    fn piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let Some(line) = self.0.next_line()? else {
            return Ok(false);
        };
        let text = line.text();
        let end = &line.bytes[text.len()..];
        let mut rest = text.trim_ascii_end();
        let mut is_soft = false;
        while let Some((&first, after)) = rest.split_first() {
            let code = after.first_chunk::<2>().and_then(|digits| hex(*digits));
            match (first, code) {
                (b'=', Some(byte)) => {
                    out.push(byte);
                    rest = &after[2..];
                }
                (b'=', None) if after.is_empty() => {
                    is_soft = true;
                    rest = after;
                }
                _ => {
                    out.push(first);
                    rest = after;
                }
            }
        }
        if !is_soft {
            out.extend_from_slice(end);
        }
        Ok(true)
    }
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn hex(digits: [u8; 2]) -> Option<u8> {
    let text = std::str::from_utf8(&digits).ok()?;
    text.bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_is_decoded() {
        let mut out = String::new();
        let text = "a=3Db=\nc  \r\n=zz\n=C3=A4";
        decode(text.as_bytes()).read_to_string(&mut out).unwrap();
        assert_eq!(out, "a=bc\r\n=zz\nä");
    }
}
