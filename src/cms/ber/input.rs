//! Elements of an encoding as they come out of a source: headers, their ends, and whole elements kept as they are encoded.
//!
//! Pure: std only.

use std::io::{self, Read};

use super::{bad, tag};

/// How much structure (certificates, revocation lists, signatures) a message may carry beside its content.
const STRUCTURE_LIMIT: u64 = 64 << 20;

/// How deeply encodings may be nested.
const DEPTH_LIMIT: usize = 64;

/// How much is read from the source at once.
const BUFFER: usize = 64 << 10;

/// The error for an encoding that ends too early.
pub(super) fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the message ends before its encoding does",
    )
}

/// A tag and a length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The first byte of the tag; longer tags don't occur where it matters.
    pub(super) tag: u8,
    /// The length, `None` where it is indefinite.
    pub(super) length: Option<u64>,
    /// The bytes as they were read.
    raw: [u8; 16],
    /// How many bytes of `raw` there are.
    pub(super) size: usize,
}

impl Header {
    /// The bytes as they were read.
    fn bytes(&self) -> &[u8] {
        &self.raw[..self.size]
    }
}

/// A source with a buffer, and the place reached in it.
pub(super) struct Input<R> {
    /// The source.
    source: R,
    /// What was read ahead.
    buffer: Box<[u8]>,
    /// The next byte in `buffer`.
    next: usize,
    /// The end of what was read into `buffer`.
    end: usize,
    /// How many bytes were taken from the start of the source.
    offset: u64,
    /// The ends of the encodings now open, `None` for an indefinite length; outermost first.
    pub(super) open: Vec<Option<u64>>,
    /// How much structure was kept so far.
    kept: u64,
}

impl<R: Read> Input<R> {
    /// A reader at the start of `source`.
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            next: 0,
            end: 0,
            offset: 0,
            open: Vec::new(),
            kept: 0,
        }
    }

    /// What is there of the next bytes; empty at the end of the source.
    pub(super) fn ahead(&mut self) -> io::Result<&[u8]> {
        while self.next == self.end {
            match self.source.read(&mut self.buffer) {
                Ok(size) => {
                    self.next = 0;
                    self.end = size;
                    if size == 0 {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.next..self.end])
    }

    /// Whether so many bytes were read ahead.
    pub(super) const fn has(&self, size: usize) -> bool {
        self.end - self.next >= size
    }

    /// Takes `size` bytes of what `ahead` showed.
    pub(super) fn take(&mut self, size: usize) {
        self.next += size;
        self.offset += size as u64;
    }

    /// The next byte, without taking it.
    pub(super) fn peek(&mut self) -> io::Result<u8> {
        self.ahead()?.first().copied().ok_or_else(cut)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> io::Result<u8> {
        let byte = self.peek()?;
        self.take(1);
        Ok(byte)
    }

    /// The end of the innermost encoding whose length is definite.
    fn bound(&self) -> Option<u64> {
        self.open.iter().rev().find_map(|end| *end)
    }

    /// The next tag and length.
    pub(super) fn header(&mut self) -> io::Result<Header> {
        let mut raw = [0; 16];
        let mut size = 0;
        let mut next = |input: &mut Self| -> io::Result<u8> {
            let byte = input.byte()?;
            *raw.get_mut(size)
                .ok_or_else(|| bad("a tag or length is too long"))? = byte;
            size += 1;
            Ok(byte)
        };
        let tag = next(self)?;
        if tag & 0x1f == 0x1f {
            while next(self)? & 0x80 != 0 {}
        }
        let first = next(self)?;
        let length = match first {
            0..=0x7f => Some(u64::from(first)),
            0x80 => None,
            _ => {
                let mut length: u64 = 0;
                for _ in 0..first & 0x7f {
                    let byte = next(self)?;
                    if length >> 55 != 0 {
                        return Err(bad("a length is too large"));
                    }
                    length = length << 8 | u64::from(byte);
                }
                Some(length)
            }
        };
        if length.is_none() && tag & tag::CONSTRUCTED == 0 {
            return Err(bad("an indefinite length where the encoding is primitive"));
        }
        if let Some(bound) = self.bound()
            && self
                .offset
                .checked_add(length.unwrap_or(0))
                .is_none_or(|end| end > bound)
        {
            return Err(bad("an element is longer than what holds it"));
        }
        Ok(Header {
            tag,
            length,
            raw,
            size,
        })
    }

    /// The next tag and length, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8, what: &str) -> io::Result<Header> {
        if self.peek()? != tag {
            return Err(bad(&format!("not a CMS message: {what} expected")));
        }
        self.header()
    }

    /// Goes into the element whose header was just read.
    pub(super) fn enter(&mut self, header: &Header) -> io::Result<()> {
        if self.open.len() >= DEPTH_LIMIT {
            return Err(bad("the encoding is nested too deeply"));
        }
        self.open
            .push(header.length.map(|length| self.offset + length));
        Ok(())
    }

    /// Whether the innermost open element has no more elements; takes the end mark of an indefinite length.
    pub(super) fn at_end(&mut self) -> io::Result<bool> {
        match self.open.last() {
            Some(Some(end)) => Ok(self.offset >= *end),
            Some(None) => Ok(self.peek()? == 0),
            None => Ok(self.ahead()?.is_empty()),
        }
    }

    /// Leaves the innermost open element, which must be at its end.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        if !self.at_end()? {
            return Err(bad("an element holds more than it should"));
        }
        if self.open.pop() == Some(None) {
            self.byte()?;
            if self.byte()? != 0 {
                return Err(bad("an end mark is broken"));
            }
        }
        Ok(())
    }

    /// Appends the next element as it is encoded.
    pub(super) fn keep(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let depth = self.open.len();
        loop {
            let header = self.header()?;
            out.extend_from_slice(header.bytes());
            self.kept += header.size as u64;
            match header.length {
                Some(length) => self.keep_bytes(length, out)?,
                None => self.enter(&header)?,
            }
            while self.open.len() > depth && self.at_end()? {
                self.leave()?;
                out.extend_from_slice(&[0, 0]);
            }
            if self.open.len() == depth {
                return Ok(());
            }
        }
    }

    /// Appends the next `length` bytes.
    fn keep_bytes(&mut self, length: u64, out: &mut Vec<u8>) -> io::Result<()> {
        self.kept = self.kept.saturating_add(length);
        if self.kept > STRUCTURE_LIMIT {
            return Err(bad("the message has too much structure"));
        }
        let mut left = length;
        while left > 0 {
            let ahead = self.ahead()?;
            let size = ahead.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if size == 0 {
                return Err(cut());
            }
            out.extend_from_slice(&ahead[..size]);
            self.take(size);
            left -= size as u64;
        }
        Ok(())
    }

    /// Appends what is left of the innermost open element.
    pub(super) fn keep_rest(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while !self.at_end()? {
            self.keep(out)?;
        }
        Ok(())
    }
}
