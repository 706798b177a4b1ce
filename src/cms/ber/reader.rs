//! Reads a message, and separates its content from what stands around it.
//!
//! Pure: std only.

use std::io::{self, Read};

use super::input::{Input, cut};
use super::{Kind, Skeleton, bad, tag};

/// What must have been read ahead for another segment to be begun: its header, and more.
const NEXT: usize = 64;

/// Reads a message: first what stands before the content, then (as a [`Read`]) the content, then the rest.
pub(crate) struct Reader<R> {
    /// The source.
    input: Input<R>,
    /// What was read so far.
    skeleton: Skeleton,
    /// How many elements were open where the content begins; those above belong to the content.
    depth: usize,
    /// How many bytes of the content's current segment are left.
    segment: u64,
    /// Whether the content was read to its end.
    done: bool,
    /// The tag of the content, whose constructed form holds segments.
    constructed: bool,
    /// What is wrong behind the bytes that were handed out last.
    wrong: Option<io::Error>,
}

impl<R: Read> Reader<R> {
    /// Reads up to the content.
    pub(crate) fn new(source: R) -> io::Result<Self> {
        let mut input = Input::new(source);
        let header = input.expect(tag::SEQUENCE, "a SEQUENCE")?;
        input.enter(&header)?;
        if input.peek()? != tag::OID {
            return Err(bad("not a CMS message: a content type expected"));
        }
        let mut oid = Vec::new();
        input.keep(&mut oid)?;
        let kind = Kind::of(&oid).ok_or_else(|| bad("the content type is not one of CMS"))?;
        let mut skeleton = Skeleton {
            kind,
            before: Vec::new(),
            inner: Vec::new(),
            has_content: false,
            after: Vec::new(),
        };
        if kind == Kind::Data {
            if !input.at_end()? {
                let header = input.expect(tag::CONTEXT_CONSTRUCTED, "the content")?;
                input.enter(&header)?;
                skeleton.has_content = true;
            }
        } else {
            let header = input.expect(tag::CONTEXT_CONSTRUCTED, "the content")?;
            input.enter(&header)?;
            let header = input.expect(tag::SEQUENCE, "the body")?;
            input.enter(&header)?;
            let mut sequences = kind.sequences_before();
            loop {
                if input.at_end()? {
                    return Err(bad("the message holds no content description"));
                }
                if input.peek()? == tag::SEQUENCE {
                    if sequences == 0 {
                        break;
                    }
                    sequences -= 1;
                }
                input.keep(&mut skeleton.before)?;
            }
            let header = input.header()?;
            input.enter(&header)?;
            if input.at_end()? || input.peek()? != tag::OID {
                return Err(bad("not a CMS message: an inner content type expected"));
            }
            input.keep(&mut skeleton.inner)?;
            if kind.is_encrypted() {
                if input.at_end()? {
                    return Err(bad("the cipher is missing"));
                }
                input.keep(&mut skeleton.inner)?;
            }
            skeleton.has_content = !input.at_end()?;
            if skeleton.has_content && !kind.is_encrypted() {
                let header = input.expect(tag::CONTEXT_CONSTRUCTED, "the inner content")?;
                input.enter(&header)?;
            }
        }
        let mut reader = Self {
            input,
            depth: 0,
            segment: 0,
            done: !skeleton.has_content,
            constructed: false,
            wrong: None,
            skeleton,
        };
        reader.depth = reader.input.open.len();
        if reader.skeleton.has_content {
            reader.open_content()?;
        }
        Ok(reader)
    }

    /// Reads the header of the content itself.
    fn open_content(&mut self) -> io::Result<()> {
        let base = match self.skeleton.kind.is_encrypted() {
            true => tag::CONTEXT,
            false => tag::OCTETS,
        };
        let header = self.input.header()?;
        if header.tag & !tag::CONSTRUCTED != base {
            return Err(bad("the content is not an OCTET STRING"));
        }
        self.constructed = header.tag & tag::CONSTRUCTED != 0;
        match (self.constructed, header.length) {
            (false, Some(length)) => self.segment = length,
            _ => self.input.enter(&header)?,
        }
        Ok(())
    }

    /// The message as far as it is known: what stands behind the content is still missing.
    pub(crate) fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// Reads what is left of the content, and what stands behind it.
    pub(crate) fn finish(mut self) -> io::Result<Skeleton> {
        io::copy(&mut self, &mut io::sink())?;
        let kind = self.skeleton.kind;
        if self.skeleton.has_content && !kind.is_encrypted() {
            self.input.leave()?;
        }
        if kind != Kind::Data {
            self.input.leave()?;
            self.input.keep_rest(&mut self.skeleton.after)?;
            self.input.leave()?;
            self.input.leave()?;
        }
        self.input.leave()?;
        Ok(self.skeleton)
    }
}

impl<R: Read> Reader<R> {
    /// Reads from the content's current segment, or else from the next one.
    fn read_segment(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.segment == 0 && !self.done {
            if !self.constructed {
                self.done = true;
            } else if self.input.at_end()? {
                self.input.leave()?;
                self.done = self.input.open.len() == self.depth;
            } else {
                let header = self.input.header()?;
                match (header.tag, header.length) {
                    (tag::OCTETS, Some(length)) => self.segment = length,
                    (tag, _) if tag == tag::OCTETS | tag::CONSTRUCTED => {
                        self.input.enter(&header)?;
                    }
                    _ => return Err(bad("a segment of the content is not an OCTET STRING")),
                }
            }
        }
        if self.done || buffer.is_empty() {
            return Ok(0);
        }
        let wanted = buffer
            .len()
            .min(usize::try_from(self.segment).unwrap_or(usize::MAX));
        let ahead = self.input.ahead()?;
        let size = ahead.len().min(wanted);
        if size == 0 {
            return Err(cut());
        }
        buffer[..size].copy_from_slice(&ahead[..size]);
        self.input.take(size);
        self.segment -= size as u64;
        Ok(size)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        let mut size = self.read_segment(buffer)?;
        // Writers make segments of 1 to 4 KiB. Those that are here already go on together; nobody waits for more.
        while size > 0 && size < buffer.len() && self.input.has(NEXT) {
            match self.read_segment(&mut buffer[size..]) {
                Ok(0) => break,
                Ok(more) => size += more,
                Err(error) => {
                    self.wrong = Some(error);
                    break;
                }
            }
        }
        Ok(size)
    }
}
