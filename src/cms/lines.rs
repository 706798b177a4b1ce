//! Lines of text as streams: a scanner, and the canonical form that S/MIME signs.
//!
//! Pure: std and memchr only.

use std::io::{self, Read};

use memchr::memchr;

use super::translate::{Translate, Translated};

/// How much is read at once, and the longest line that is given in one piece.
const BUFFER: usize = 64 << 10;

/// How much white space at a line's end is kept in mind before it is taken for text.
const HELD: usize = 1 << 20;

/// A piece of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// The bytes, with the end of line as it is.
    pub(crate) bytes: &'a [u8],
    /// Whether the piece begins a line; only a line longer than the buffer comes in pieces.
    pub(crate) is_start: bool,
}

impl<'a> Line<'a> {
    /// The bytes without the end of line.
    pub(crate) fn text(&self) -> &'a [u8] {
        let text = self.bytes.strip_suffix(b"\n").unwrap_or(self.bytes);
        text.strip_suffix(b"\r").unwrap_or(text)
    }
}

/// Reads line by line.
pub(crate) struct Lines<R> {
    /// The source.
    source: R,
    /// What was read.
    buffer: Vec<u8>,
    /// The next byte in `buffer`.
    next: usize,
    /// How many bytes were taken before.
    offset: u64,
    /// Whether the next piece begins a line.
    at_start: bool,
    /// Whether the source has ended.
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of a source.
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::with_capacity(BUFFER),
            next: 0,
            offset: 0,
            at_start: true,
            ended: false,
        }
    }

    /// Where in the source the next line begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line, or piece of one; `None` at the end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let end = loop {
            if let Some(length) = memchr(b'\n', &self.buffer[self.next..]) {
                break self.next + length + 1;
            }
            if self.ended || self.buffer.len() - self.next >= BUFFER {
                break self.buffer.len();
            }
            self.buffer.drain(..self.next);
            self.next = 0;
            let start = self.buffer.len();
            self.buffer.resize(start + BUFFER, 0);
            let size = read(&mut self.source, &mut self.buffer[start..])?;
            self.buffer.truncate(start + size);
            self.ended = size == 0;
        };
        let bytes = &self.buffer[self.next..end];
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = Line {
            bytes,
            is_start: self.at_start,
        };
        self.next = end;
        self.offset += bytes.len() as u64;
        self.at_start = bytes.ends_with(b"\n");
        Ok(Some(line))
    }
}

/// Reads once, again after an interruption.
fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// How text is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canon {
    /// Line ends become CR LF.
    Crlf,
    /// Likewise, and blanks at line ends and empty lines at the end go.
    Ascii,
}

/// Reads text in canonical form: every line ends with CR LF.
pub(crate) fn canonical<R: Read>(text: R, canon: Canon) -> Translated<Canonical<R>> {
    Translated::new(Canonical::new(text, canon), 2 * BUFFER)
}

/// Translates text piece by piece.
pub(crate) struct Canonical<R> {
    /// The text.
    source: R,
    /// How it is translated.
    canon: Canon,
    /// What was read.
    buffer: Box<[u8]>,
    /// White space that goes if the line ends behind it.
    held: Vec<u8>,
    /// Empty lines that go if nothing follows them.
    blank: u64,
    /// Whether the current line has text.
    in_line: bool,
}

impl<R: Read> Canonical<R> {
    /// The canonical form of what `source` gives.
    fn new(source: R, canon: Canon) -> Self {
        Self {
            source,
            canon,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            held: Vec::new(),
            blank: 0,
            in_line: false,
        }
    }

    /// Takes text within a line.
    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let ascii = self.canon == Canon::Ascii;
        let goes = |byte: &u8| *byte == b'\r' || ascii && *byte == b' ';
        let kept = text
            .iter()
            .rposition(|byte| !goes(byte))
            .map_or(0, |last| last + 1);
        if kept > 0 || self.held.len() > HELD {
            for _ in 0..std::mem::take(&mut self.blank) {
                out.extend_from_slice(b"\r\n");
            }
            out.append(&mut self.held);
            out.extend_from_slice(&text[..kept]);
            self.in_line = true;
        }
        self.held.extend_from_slice(&text[kept..]);
    }

    /// Takes the end of a line.
    fn end_line(&mut self, out: &mut Vec<u8>) {
        self.held.clear();
        if self.canon == Canon::Ascii && !self.in_line {
            self.blank += 1;
        } else {
            out.extend_from_slice(b"\r\n");
        }
        self.in_line = false;
    }

    /// Takes the end of the text.
    fn end(&mut self, out: &mut Vec<u8>) {
        let kept = self
            .held
            .iter()
            .rposition(|byte| *byte != b'\r')
            .map_or(0, |last| last + 1);
        self.held.truncate(kept);
        out.append(&mut self.held);
    }
}

impl<R: Read> Translate for Canonical<R> {
    fn piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = read(&mut self.source, &mut buffer);
        if let Ok(size) = outcome {
            let mut rest = &buffer[..size];
            while let Some(length) = memchr(b'\n', rest) {
                self.text(&rest[..length], out);
                self.end_line(out);
                rest = &rest[length + 1..];
            }
            self.text(rest, out);
            if size == 0 {
                self.end(out);
            }
        }
        self.buffer = buffer;
        outcome.map(|size| size > 0)
    }
}

/// Whether bytes are surely not text, so that translating line ends would destroy them.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    // Odd line ends aren't text either, but mail has been seen with them.
    memchr(0, bytes).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in small pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.0.len().min(self.1).min(buffer.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    /// The canonical form of a text, whichever way it is cut in pieces.
    fn canonical(text: &str, canon: Canon) -> String {
        let whole = |piece| {
            let mut out = String::new();
            super::canonical(Pieces(text.as_bytes(), piece), canon)
                .read_to_string(&mut out)
                .unwrap();
            out
        };
        let out = whole(1000);
        for piece in 1..5 {
            assert_eq!(whole(piece), out);
        }
        out
    }

    #[test]
    fn line_ends_become_crlf() {
        let crlf = |text| canonical(text, Canon::Crlf);
        assert_eq!(crlf("a\nb\r\nc"), "a\r\nb\r\nc");
        assert_eq!(crlf("a\r\r\n\n\nb\rc\n"), "a\r\n\r\n\r\nb\rc\r\n");
        assert_eq!(crlf(""), "");
        assert_eq!(crlf("a  \n"), "a  \r\n");
    }

    #[test]
    fn blanks_and_empty_lines_at_the_end_go_where_asked_for() {
        let ascii = |text| canonical(text, Canon::Ascii);
        assert_eq!(ascii("a  \nb \r\n\n\nc\n\n  \n"), "a\r\nb\r\n\r\n\r\nc\r\n");
        assert_eq!(ascii("a \r"), "a ");
    }

    #[test]
    fn lines_come_one_by_one_whatever_the_pieces() {
        for piece in 1..7 {
            let mut lines = Lines::new(Pieces(b"ab\r\n\nc", piece));
            let mut seen = Vec::new();
            while let Some(line) = lines.next_line().unwrap() {
                seen.push((line.bytes.to_vec(), line.text().to_vec()));
            }
            let expected = [("ab\r\n", "ab"), ("\n", ""), ("c", "c")]
                .map(|(bytes, text)| (bytes.as_bytes().to_vec(), text.as_bytes().to_vec()));
            assert_eq!(seen, expected);
            assert_eq!(lines.offset(), 6);
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_comes_in_pieces() {
        let text = [vec![b'x'; 3 * BUFFER], vec![b'\n', b'y']].concat();
        let mut lines = Lines::new(&text[..]);
        let mut starts = Vec::new();
        let mut total = 0;
        while let Some(line) = lines.next_line().unwrap() {
            starts.push(line.is_start);
            total += line.bytes.len();
        }
        assert_eq!(total, text.len());
        assert_eq!(starts.iter().filter(|start| **start).count(), 2);
        assert!(starts.len() > 2);
    }
}
