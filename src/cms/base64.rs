//! Base64 as streams: a reader that takes any line structure, a writer that makes lines of 64 characters.
//!
//! Pure: std only.

use std::io::{self, Read, Write};

use super::translate::{Translate, Translated};

/// The alphabet.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Stands for a character that isn't of the alphabet.
const NONE: u32 = 1 << 24;

/// What a character is worth in each of the four places of a group.
static VALUES: [[u32; 256]; 4] = values();

/// Makes [`VALUES`].
const fn values() -> [[u32; 256]; 4] {
    let mut table = [[NONE; 256]; 4];
    let mut place = 0;
    while place < 4 {
        let mut index: u32 = 0;
        while index < 64 {
            table[place][ALPHABET[index as usize] as usize] = index << (18 - 6 * place);
            index += 1;
        }
        place += 1;
    }
    table
}

/// The two characters for each value of twelve bits.
static PAIRS: [[u8; 2]; 4096] = pairs();

/// Makes [`PAIRS`].
const fn pairs() -> [[u8; 2]; 4096] {
    let mut table = [[0; 2]; 4096];
    let mut index = 0;
    while index < 4096 {
        table[index] = [ALPHABET[index >> 6], ALPHABET[index & 63]];
        index += 1;
    }
    table
}

/// How much text is decoded at once.
const TEXT: usize = 32 << 10;

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
    /// The characters of a group that isn't complete.
    group: u32,
    /// How many they are.
    filled: u32,
}

impl<R: Read> Decoder<R> {
    /// A decoder of the text that `source` gives.
    fn new(source: R) -> Self {
        Self {
            source,
            text: vec![0; TEXT].into_boxed_slice(),
            group: 0,
            filled: 0,
        }
    }

    /// Decodes a piece of text; false at the end.
    fn decode(&mut self, mut rest: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            // A character that isn't plain is looked for once a line, and then group by group.
            while self.filled == 0
                && let Some((line, after)) = rest.split_first_chunk::<64>()
                && let Some(bytes) = groups::<64, 48>(line)
            {
                out.extend_from_slice(&bytes);
                rest = after.strip_prefix(b"\n").unwrap_or(after);
            }
            while self.filled == 0
                && let Some((group, after)) = rest.split_first_chunk::<4>()
                && let Some(bytes) = groups::<4, 3>(group)
            {
                out.extend_from_slice(&bytes);
                rest = after;
            }
            let Some((first, after)) = rest.split_first() else {
                return Ok(true);
            };
            rest = after;
            if !self.character(*first, out)? {
                self.end(out)?;
                return Ok(false);
            }
        }
    }

    /// Takes a single character; false for padding, where the text ends.
    fn character(&mut self, character: u8, out: &mut Vec<u8>) -> io::Result<bool> {
        let value = VALUES[3][usize::from(character)];
        match character {
            b'=' => return Ok(false),
            b' ' | b'\t' | b'\r' | b'\n' => return Ok(true),
            _ if value & NONE != 0 => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a character that base64 doesn't have",
                ));
            }
            _ => {}
        }
        self.group = self.group << 6 | value;
        self.filled += 1;
        if self.filled == 4 {
            out.extend_from_slice(&self.group.to_be_bytes()[1..]);
            self.group = 0;
            self.filled = 0;
        }
        Ok(true)
    }

    /// Takes the characters of the last group.
    fn end(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.filled {
            2 => out.extend_from_slice(&(self.group << 12).to_be_bytes()[1..2]),
            3 => out.extend_from_slice(&(self.group << 6).to_be_bytes()[1..3]),
            1 => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "base64 ends within a character",
                ));
            }
            _ => {}
        }
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

/// The bytes of whole groups, unless a character among them stands for none.
fn groups<const TEXT: usize, const BYTES: usize>(text: &[u8; TEXT]) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let mut all = 0;
    let groups = text.as_chunks::<4>().0;
    for ([a, b, c, d], place) in groups.iter().zip(bytes.as_chunks_mut::<3>().0) {
        let word = VALUES[0][usize::from(*a)]
            | VALUES[1][usize::from(*b)]
            | VALUES[2][usize::from(*c)]
            | VALUES[3][usize::from(*d)];
        all |= word;
        let [_, high, middle, low] = word.to_be_bytes();
        *place = [high, middle, low];
    }
    (all & NONE == 0).then_some(bytes)
}

/// How many bytes make a line.
const LINE: usize = 48;

/// Encodes what is written to it, in lines of 64 characters that each end with a line feed.
pub(crate) struct Encoder<W: Write> {
    /// Where the text goes.
    out: W,
    /// The bytes of a line that isn't full.
    held: Vec<u8>,
    /// Text that wasn't written yet.
    text: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// An encoder in front of `out`.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            held: Vec::with_capacity(LINE),
            text: Vec::with_capacity(TEXT + 128),
        }
    }

    /// Writes the last line, and gives `out` back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.held.is_empty() {
            encode_last(&self.held, &mut self.text);
        }
        self.out.write_all(&self.text)?;
        Ok(self.out)
    }
}

/// Appends the last line, which may be short.
fn encode_last(bytes: &[u8], text: &mut Vec<u8>) {
    let (groups, rest) = bytes.as_chunks::<3>();
    for group in groups {
        text.extend_from_slice(&encoded(*group));
    }
    let padding = match *rest {
        [a] => Some(([a, 0, 0], 2)),
        [a, b] => Some(([a, b, 0], 1)),
        _ => None,
    };
    if let Some((group, missing)) = padding {
        text.extend_from_slice(&encoded(group)[..4 - missing]);
        text.extend_from_slice(&b"=="[..missing]);
    }
    text.push(b'\n');
}

/// Appends a full line.
fn encode_line(bytes: &[u8; LINE], text: &mut Vec<u8>) {
    let mut line = [b'\n'; LINE / 3 * 4 + 1];
    let groups = bytes.as_chunks::<3>().0;
    for (group, place) in groups.iter().zip(line.as_chunks_mut::<4>().0) {
        *place = encoded(*group);
    }
    text.extend_from_slice(&line);
}

/// The characters of a group.
fn encoded([a, b, c]: [u8; 3]) -> [u8; 4] {
    let [first, second] = PAIRS[usize::from(a) << 4 | usize::from(b) >> 4];
    let [third, fourth] = PAIRS[(usize::from(b) & 15) << 8 | usize::from(c)];
    [first, second, third, fourth]
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        if !self.held.is_empty() {
            let (first, after) = rest.split_at(rest.len().min(LINE - self.held.len()));
            self.held.extend_from_slice(first);
            rest = after;
            let Some(line) = self.held.first_chunk::<LINE>() else {
                return Ok(bytes.len());
            };
            encode_line(line, &mut self.text);
            self.held.clear();
        }
        let (lines, after) = rest.as_chunks::<LINE>();
        for line in lines {
            encode_line(line, &mut self.text);
            if self.text.len() >= TEXT {
                self.out.write_all(&self.text)?;
                self.text.clear();
            }
        }
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

    #[test]
    fn other_characters_and_half_bytes_are_errors() {
        assert!(decoded("Zm9v*").is_err());
        assert!(decoded("Zm9vY").is_err());
    }
}
