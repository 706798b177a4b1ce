//! Base64 as streams: a reader that takes any line structure, a writer that makes lines of 64 characters.
//!
//! Pure: std, base64-simd and memchr only.

use std::io::{self, Read, Write};

use base64_simd::{STANDARD, STANDARD_NO_PAD};
use memchr::memchr;

use super::translate::{Translate, Translated};

/// How much text is decoded or encoded at once.
const TEXT: usize = 64 << 10;

/// How many characters make a group.
const GROUP: usize = 4;

/// Reads what a text in base64 stands for, up to padding or the end of the text.
pub(crate) fn decode<R: Read>(text: R) -> Translated<Decoder<R>> {
    Translated::new(Decoder::new(text), TEXT)
}

/// Decodes text piece by piece.
pub(crate) struct Decoder<R> {
    /// The text.
    source: R,
    /// Text that was read.
    text: Box<[u8]>,
    /// Characters of the alphabet that wait for being decoded; between two pieces, those of a group that isn't complete.
    plain: Vec<u8>,
}

impl<R: Read> Decoder<R> {
    /// A decoder of the text that `source` gives.
    fn new(source: R) -> Self {
        Self {
            source,
            text: vec![0; TEXT].into_boxed_slice(),
            plain: Vec::with_capacity(TEXT + GROUP),
        }
    }

    /// Decodes a piece of text; false at the end.
    fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
        let held = self.plain.len();
        unfold(text, &mut self.plain);
        if self.groups(out) {
            return Ok(true);
        }
        // Some character is neither of the alphabet nor the end of a line: it matters which, and where.
        self.plain.truncate(held);
        for &character in text {
            match character {
                _ if is_digit(character) => self.plain.push(character),
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'=' => {
                    self.end(out)?;
                    return Ok(false);
                }
                _ => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a character that base64 doesn't have",
                    ));
                }
            }
        }
        self.groups(out);
        Ok(true)
    }

    /// Decodes the complete groups, if all characters are of the alphabet; says whether they are.
    fn groups(&mut self, out: &mut Vec<u8>) -> bool {
        let whole = self.plain.len() / GROUP * GROUP;
        let (groups, rest) = self.plain.split_at(whole);
        let fine = rest.iter().all(|&character| is_digit(character))
            && STANDARD_NO_PAD.decode_append(groups, out).is_ok();
        if fine {
            self.plain.drain(..whole);
        }
        fine
    }

    /// Decodes what is there, where the last group may be short.
    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.groups(out);
        let missing = match self.plain.len() {
            0 => return Ok(()),
            1 => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "base64 ends within a character",
                ));
            }
            length => GROUP - length,
        };
        self.plain.resize(GROUP, b'A');
        self.groups(out);
        out.truncate(out.len() - missing);
        Ok(())
    }
}

impl<R: Read> Translate for Decoder<R> {
    fn piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let size = match self.source.read(&mut self.text) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        if size == 0 {
            self.end(out)?;
            return Ok(false);
        }
        let text = std::mem::take(&mut self.text);
        let outcome = self.decode(&text[..size], out);
        self.text = text;
        outcome
    }
}

/// Whether a character is of the alphabet.
const fn is_digit(character: u8) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, b'+' | b'/')
}

/// Appends a text without the ends of its lines.
fn unfold(text: &[u8], plain: &mut Vec<u8>) {
    let mut rest = text;
    let mut width = 0;
    loop {
        // Most lines are as long as the one before. If this one is two, the end of line between them stays, and is found
        // to be no character of the alphabet.
        if rest.get(width) != Some(&b'\n') {
            width = memchr(b'\n', rest).unwrap_or(rest.len());
        }
        let (line, after) = rest.split_at(width);
        plain.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        let Some((_, next)) = after.split_first() else {
            return;
        };
        rest = next;
    }
}

/// How many bytes make a line.
const LINE: usize = 48;

/// How many characters stand for them.
const WIDTH: usize = LINE / 3 * GROUP;

/// Encodes what is written to it, in lines of 64 characters that each end with a line feed.
pub(crate) struct Encoder<W: Write> {
    /// Where the text goes.
    out: W,
    /// The bytes of a line that isn't full.
    held: Vec<u8>,
    /// Characters without ends of lines.
    plain: Vec<u8>,
    /// Text that wasn't written yet.
    text: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// An encoder in front of `out`.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            held: Vec::with_capacity(LINE),
            plain: Vec::with_capacity(TEXT),
            text: Vec::with_capacity(2 * TEXT),
        }
    }

    /// Writes the last line, and gives `out` back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let last = std::mem::take(&mut self.held);
        self.lines(&last)?;
        self.out.write_all(&self.text)?;
        Ok(self.out)
    }

    /// Encodes bytes in lines, of which only the last one of all may be short.
    fn lines(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(TEXT / WIDTH * LINE) {
            self.plain.clear();
            STANDARD.encode_append(piece, &mut self.plain);
            for line in self.plain.chunks(WIDTH) {
                self.text.extend_from_slice(line);
                self.text.push(b'\n');
            }
            if self.text.len() >= TEXT {
                self.out.write_all(&self.text)?;
                self.text.clear();
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        if !self.held.is_empty() {
            let (first, after) = rest.split_at(rest.len().min(LINE - self.held.len()));
            self.held.extend_from_slice(first);
            rest = after;
            if self.held.len() < LINE {
                return Ok(bytes.len());
            }
            let mut line = std::mem::take(&mut self.held);
            self.lines(&line)?;
            line.clear();
            self.held = line;
        }
        let (lines, after) = rest.split_at(rest.len() / LINE * LINE);
        self.lines(lines)?;
        self.held.extend_from_slice(after);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes a text.
    fn decoded(text: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        decode(text.as_bytes()).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for length in (0..200).chain([4095, 4096, 100_000]) {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            for piece in [1, 5, 47, 48, 1000] {
                let mut encoder = Encoder::new(Vec::new());
                for part in bytes.chunks(piece) {
                    encoder.write_all(part).unwrap();
                }
                let text = String::from_utf8(encoder.finish().unwrap()).unwrap();
                assert!(text.lines().all(|line| line.len() <= 64));
                assert_eq!(decoded(&text).unwrap(), bytes, "{length} {piece}");
            }
        }
    }

    #[test]
    fn known_texts() {
        assert_eq!(decoded("Zm9vYmFy").unwrap(), b"foobar");
        assert_eq!(decoded("Zm9v\r\n Ym\tE=\n").unwrap(), b"fooba");
        assert_eq!(decoded("Zg==garbage").unwrap(), b"f");
        assert_eq!(decoded("").unwrap(), b"");
    }

    /// A text that comes in pieces of a size.
    struct Pieces<'a>(std::slice::Chunks<'a, u8>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.next().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    #[test]
    fn lines_are_of_any_length_and_pieces_too() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let digits = STANDARD.encode_to_string(&bytes);
        for width in 1..80 {
            for end in ["\n", "\r\n", " \n", "\t\r\n\n"] {
                // Every third line is short, so that two of them look like one of the length before.
                let mut text = Vec::new();
                let mut rest = digits.as_bytes();
                for length in [width, width / 2, width - width / 2 - 1]
                    .into_iter()
                    .cycle()
                {
                    let (line, after) = rest.split_at(length.min(rest.len()));
                    text.extend_from_slice(line);
                    text.extend_from_slice(end.as_bytes());
                    rest = after;
                    if rest.is_empty() {
                        break;
                    }
                }
                text.extend_from_slice(b"behind the padding\n*");
                for piece in [1, 2, 3, 5, 64, 4096] {
                    let mut seen = Vec::new();
                    decode(Pieces(text.chunks(piece)))
                        .read_to_end(&mut seen)
                        .unwrap();
                    assert_eq!(seen, bytes, "{width} {end:?} {piece}");
                }
            }
        }
    }

    #[test]
    fn other_characters_and_half_bytes_are_errors() {
        assert!(decoded("Zm9v*").is_err());
        assert!(decoded("Zm9v\n*Zm9v").is_err());
        assert!(decoded("Zm9*=").is_err());
        assert!(decoded("Zm9v_w==").is_err());
        assert!(decoded("Zm9vY").is_err());
    }
}
