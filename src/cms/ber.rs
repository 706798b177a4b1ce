//! A streaming reader and writer for the outermost layers of a CMS message in BER or DER.
//!
//! The reader separates the content, which may be of any size, from the structure around it, which is small and is
//! kept as it is encoded. Pure: std only; a stranger to OpenSSL.

use std::io::{self, Read, Write};

/// How much structure (certificates, revocation lists, signatures) a message may carry beside its content.
const STRUCTURE_LIMIT: u64 = 64 << 20;

/// How deeply encodings may be nested.
const DEPTH_LIMIT: usize = 64;

/// How much is read from the source at once.
const BUFFER: usize = 64 << 10;

/// The length of the segments of content that is written without knowing its length.
pub(crate) const SEGMENT: usize = 32 << 10;

/// The tag bytes that occur in the outermost layers.
mod tag {
    /// INTEGER
    pub(super) const INTEGER: u8 = 0x02;
    /// OCTET STRING
    pub(super) const OCTETS: u8 = 0x04;
    /// OBJECT IDENTIFIER
    pub(super) const OID: u8 = 0x06;
    /// SEQUENCE
    pub(super) const SEQUENCE: u8 = 0x30;
    /// `[0]`, primitive
    pub(super) const CONTEXT: u8 = 0x80;
    /// `[0]`, constructed
    pub(super) const CONTEXT_CONSTRUCTED: u8 = 0xa0;
    /// The bit that tells constructed from primitive.
    pub(super) const CONSTRUCTED: u8 = 0x20;
}

/// The content types of CMS, as far as the reader has to know their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Plain content.
    Data,
    /// Signed content.
    Signed,
    /// Content encrypted for recipients.
    Enveloped,
    /// Content with a digest.
    Digested,
    /// Content encrypted with a key that both sides have.
    Encrypted,
    /// Compressed content.
    Compressed,
    /// Content encrypted for recipients with an authenticating cipher.
    AuthEnveloped,
}

impl Kind {
    /// All kinds with the encoded OBJECT IDENTIFIER that stands for each, tag and length included.
    const OIDS: &'static [(Self, &'static [u8])] = &[
        (Self::Data, &[6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 1]),
        (Self::Signed, &[6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 2]),
        (Self::Enveloped, &[6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 3]),
        (Self::Digested, &[6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 5]),
        (Self::Encrypted, &[6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 6]),
        (
            Self::Compressed,
            &[6, 11, 42, 134, 72, 134, 247, 13, 1, 9, 16, 1, 9],
        ),
        (
            Self::AuthEnveloped,
            &[6, 11, 42, 134, 72, 134, 247, 13, 1, 9, 16, 1, 23],
        ),
    ];

    /// The kind that an encoded OBJECT IDENTIFIER names.
    fn of(oid: &[u8]) -> Option<Self> {
        Self::OIDS
            .iter()
            .find(|(_, known)| *known == oid)
            .map(|(kind, _)| *kind)
    }

    /// The encoded OBJECT IDENTIFIER.
    pub(crate) fn oid(self) -> &'static [u8] {
        Self::OIDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or(&[], |(_, oid)| oid)
    }

    /// How many SEQUENCEs stand before the one that holds the content.
    const fn sequences_before(self) -> usize {
        match self {
            Self::Digested | Self::Compressed => 1,
            _ => 0,
        }
    }

    /// Whether the content is encrypted, and so tagged implicitly.
    const fn is_encrypted(self) -> bool {
        matches!(
            self,
            Self::Enveloped | Self::Encrypted | Self::AuthEnveloped
        )
    }

    /// The name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Signed => "SignedData",
            Self::Enveloped => "EnvelopedData",
            Self::Digested => "DigestedData",
            Self::Encrypted => "EncryptedData",
            Self::Compressed => "CompressedData",
            Self::AuthEnveloped => "AuthEnvelopedData",
        }
    }
}

/// A message without its content: the encoded elements around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skeleton {
    /// The content type.
    pub(crate) kind: Kind,
    /// What stands before the SEQUENCE that holds the content.
    pub(crate) before: Vec<u8>,
    /// What stands in that SEQUENCE before the content: its type, and the algorithm where it is encrypted.
    pub(crate) inner: Vec<u8>,
    /// Whether the message holds the content at all.
    pub(crate) has_content: bool,
    /// What stands behind that SEQUENCE.
    pub(crate) after: Vec<u8>,
}

/// An error about the encoding.
fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The error for an encoding that ends too early.
fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the message ends before its encoding does",
    )
}

/// A tag and a length.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// The first byte of the tag; longer tags don't occur where it matters.
    tag: u8,
    /// The length, `None` where it is indefinite.
    length: Option<u64>,
    /// The bytes as they were read.
    raw: [u8; 16],
    /// How many bytes of `raw` there are.
    size: usize,
}

impl Header {
    /// The bytes as they were read.
    fn bytes(&self) -> &[u8] {
        &self.raw[..self.size]
    }
}

/// A source with a buffer, and the place reached in it.
struct Input<R> {
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
    open: Vec<Option<u64>>,
    /// How much structure was kept so far.
    kept: u64,
}

impl<R: Read> Input<R> {
    /// A reader at the start of `source`.
    fn new(source: R) -> Self {
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
    fn ahead(&mut self) -> io::Result<&[u8]> {
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

    /// Takes `size` bytes of what `ahead` showed.
    fn take(&mut self, size: usize) {
        self.next += size;
        self.offset += size as u64;
    }

    /// The next byte, without taking it.
    fn peek(&mut self) -> io::Result<u8> {
        self.ahead()?.first().copied().ok_or_else(cut)
    }

    /// The next byte.
    fn byte(&mut self) -> io::Result<u8> {
        let byte = self.peek()?;
        self.take(1);
        Ok(byte)
    }

    /// The end of the innermost encoding whose length is definite.
    fn bound(&self) -> Option<u64> {
        self.open.iter().rev().find_map(|end| *end)
    }

    /// The next tag and length.
    fn header(&mut self) -> io::Result<Header> {
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
    fn expect(&mut self, tag: u8, what: &str) -> io::Result<Header> {
        if self.peek()? != tag {
            return Err(bad(&format!("not a CMS message: {what} expected")));
        }
        self.header()
    }

    /// Goes into the element whose header was just read.
    fn enter(&mut self, header: &Header) -> io::Result<()> {
        if self.open.len() >= DEPTH_LIMIT {
            return Err(bad("the encoding is nested too deeply"));
        }
        self.open
            .push(header.length.map(|length| self.offset + length));
        Ok(())
    }

    /// Whether the innermost open element has no more elements; takes the end mark of an indefinite length.
    fn at_end(&mut self) -> io::Result<bool> {
        match self.open.last() {
            Some(Some(end)) => Ok(self.offset >= *end),
            Some(None) => Ok(self.peek()? == 0),
            None => Ok(self.ahead()?.is_empty()),
        }
    }

    /// Leaves the innermost open element, which must be at its end.
    fn leave(&mut self) -> io::Result<()> {
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
    fn keep(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
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
    fn keep_rest(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while !self.at_end()? {
            self.keep(out)?;
        }
        Ok(())
    }
}

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

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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

/// The bytes of a tag and a definite length.
pub(crate) fn header(tag: u8, length: u64) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    let used = &bytes[length.leading_zeros() as usize / 8..];
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => vec![tag, short],
        _ => {
            let count = u8::try_from(used.len()).unwrap_or(8);
            [&[tag, 0x80 | count], used].concat()
        }
    }
}

/// An element of a given tag and body.
pub(crate) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = header(tag, body.len() as u64);
    out.extend_from_slice(body);
    out
}

/// The elements of an encoding: tag and body of each, as far as the encoding is sound and definite.
pub(crate) fn elements(mut encoding: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let mut input = Input::new(encoding);
        let header = input.header().ok()?;
        let length = usize::try_from(header.length?).ok()?;
        let (element, rest) = encoding.get(header.size..)?.split_at_checked(length)?;
        encoding = rest;
        Some((header.tag, element))
    })
}

/// What stands in place of the content where a message is put together again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// Nothing: the content is detached.
    Detached,
    /// An empty content.
    Empty,
}

impl Skeleton {
    /// Takes a whole message apart and drops its content.
    pub(crate) fn parse(message: &[u8]) -> io::Result<Self> {
        Reader::new(message)?.finish()
    }

    /// The message without its content.
    pub(crate) fn without_content(&self, filling: Filling) -> Vec<u8> {
        match filling {
            Filling::Empty => {
                let mut out = self.head(0);
                out.extend_from_slice(&self.after);
                out
            }
            Filling::Detached if self.kind == Kind::Data => element(tag::SEQUENCE, self.kind.oid()),
            Filling::Detached => {
                let encap = element(tag::SEQUENCE, &self.inner);
                let body = element(
                    tag::SEQUENCE,
                    &[&self.before[..], &encap, &self.after].concat(),
                );
                let content = element(tag::CONTEXT_CONSTRUCTED, &body);
                element(tag::SEQUENCE, &[self.kind.oid(), &content].concat())
            }
        }
    }

    /// Everything before a content of `length` bytes, in definite lengths; behind the content stands `after`.
    pub(crate) fn head(&self, length: u64) -> Vec<u8> {
        // The lengths are those of everything inside, so the headers are made from the innermost outwards.
        let mut head = Vec::new();
        let mut inside = length;
        let mut wrap = |tag: u8, prefix: &[u8], suffix: usize| {
            inside += prefix.len() as u64;
            head = [prefix, &head].concat();
            inside += suffix as u64;
            let header = header(tag, inside);
            inside += header.len() as u64;
            head = [header, std::mem::take(&mut head)].concat();
        };
        if self.kind.is_encrypted() {
            wrap(tag::CONTEXT, &[], 0);
        } else {
            wrap(tag::OCTETS, &[], 0);
            wrap(tag::CONTEXT_CONSTRUCTED, &[], 0);
        }
        if self.kind != Kind::Data {
            wrap(tag::SEQUENCE, &self.inner, 0);
            wrap(tag::SEQUENCE, &self.before, self.after.len());
            wrap(tag::CONTEXT_CONSTRUCTED, &[], 0);
        }
        wrap(tag::SEQUENCE, self.kind.oid(), 0);
        head
    }

    /// Everything before a content whose length isn't known.
    fn open_head(&self) -> Vec<u8> {
        let mut head = vec![tag::SEQUENCE, 0x80];
        head.extend_from_slice(self.kind.oid());
        if self.kind != Kind::Data {
            head.extend_from_slice(&[tag::CONTEXT_CONSTRUCTED, 0x80, tag::SEQUENCE, 0x80]);
            head.extend_from_slice(&self.before);
            head.extend_from_slice(&[tag::SEQUENCE, 0x80]);
            head.extend_from_slice(&self.inner);
        }
        head.extend_from_slice(&[tag::CONTEXT_CONSTRUCTED, 0x80]);
        if !self.kind.is_encrypted() {
            head.extend_from_slice(&[tag::OCTETS | tag::CONSTRUCTED, 0x80]);
        }
        head
    }

    /// Everything behind such a content.
    fn open_tail(&self) -> Vec<u8> {
        let mut tail = vec![0, 0];
        if !self.kind.is_encrypted() {
            tail.extend_from_slice(&[0, 0]);
        }
        if self.kind != Kind::Data {
            tail.extend_from_slice(&[0, 0]);
            tail.extend_from_slice(&self.after);
            tail.extend_from_slice(&[0; 4]);
        }
        tail.extend_from_slice(&[0, 0]);
        tail
    }
}

/// Writes a message around a content that arrives bit by bit.
pub(crate) struct Writer<W> {
    /// Where the message goes.
    out: W,
    /// The bytes of the content still to come where its length was told; else `None`.
    left: Option<u64>,
    /// A segment that isn't full yet; empty where the length was told.
    segment: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes everything before the content.
    pub(crate) fn new(mut out: W, skeleton: &Skeleton, length: Option<u64>) -> io::Result<Self> {
        match length {
            Some(length) => out.write_all(&skeleton.head(length))?,
            None => out.write_all(&skeleton.open_head())?,
        }
        Ok(Self {
            out,
            left: length,
            segment: Vec::new(),
        })
    }

    /// Writes everything behind the content; `skeleton` may be richer by then, in what stands behind the content.
    pub(crate) fn finish(mut self, skeleton: &Skeleton) -> io::Result<W> {
        match self.left {
            Some(0) => self.out.write_all(&skeleton.after)?,
            Some(_) => return Err(bad("the content became shorter while it was read")),
            None => {
                self.write_segment()?;
                self.out.write_all(&skeleton.open_tail())?;
            }
        }
        Ok(self.out)
    }

    /// Writes the segment that is waiting, if there is one.
    fn write_segment(&mut self) -> io::Result<()> {
        if !self.segment.is_empty() {
            let header = header(tag::OCTETS, self.segment.len() as u64);
            self.out.write_all(&header)?;
            self.out.write_all(&self.segment)?;
            self.segment.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| bad("the content became longer while it was read"))?;
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let size = bytes.len().min(SEGMENT - self.segment.len());
        self.segment.extend_from_slice(&bytes[..size]);
        if self.segment.len() == SEGMENT {
            self.write_segment()?;
        }
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The version number that a message begins with.
pub(crate) fn version(number: u8) -> Vec<u8> {
    element(tag::INTEGER, &[number])
}

#[cfg(test)]
mod tests;
