//! The content of a message on its way in: translated to canonical text or not, measured where that is possible.

use std::io::{self, Cursor, Read};

use super::lines::{self, Canon};
use super::source::Stream;
use super::{pump, unreadable};
use crate::error::{Error, Reason, Result};

/// How much of a content is looked at to tell text from other bytes.
const SAMPLE: u64 = 1 << 20;

/// What `-text` puts in front of a content.
const TEXT_HEADER: &[u8] = b"Content-Type: text/plain\r\n\r\n";

/// How a content is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Byte for byte.
    Binary,
    /// As text, in canonical form, with or without a header in front that says so.
    Text {
        /// Which canonical form.
        canon: Canon,
        /// Whether there is a header in front.
        header: bool,
    },
}

impl Treatment {
    /// The treatment that the options ask for.
    pub(crate) fn new(binary: bool, ascii: bool, header: bool) -> Self {
        let canon = match ascii {
            true => Canon::Ascii,
            false => Canon::Crlf,
        };
        match binary {
            true => Self::Binary,
            false => Self::Text { canon, header },
        }
    }
}

/// A content that can be read at least once.
pub(crate) struct Content<'a> {
    /// Where it comes from.
    stream: &'a mut dyn Stream,
    /// Where in the stream it begins.
    start: u64,
    /// How long it is before translation, where that is known.
    size: Option<u64>,
    /// What was read ahead of a stream that can't start again.
    ahead: Vec<u8>,
    /// How it is treated.
    treatment: Treatment,
}

impl<'a> Content<'a> {
    /// All of a stream. Content that can't be text is taken as it is even if it was to be translated.
    pub(crate) fn new(stream: &'a mut dyn Stream, treatment: Treatment) -> Result<Self> {
        let size = stream.size();
        Self::part(stream, 0, size, treatment)
    }

    /// A part of a stream, which must be one that can start again unless the part is everything.
    pub(crate) fn part(
        stream: &'a mut dyn Stream,
        start: u64,
        size: Option<u64>,
        treatment: Treatment,
    ) -> Result<Self> {
        let mut content = Self {
            stream,
            start,
            size,
            ahead: Vec::new(),
            treatment,
        };
        if treatment != Treatment::Binary {
            let mut sample = Vec::new();
            content
                .raw()
                .and_then(|raw| raw.take(SAMPLE).read_to_end(&mut sample))
                .map_err(unreadable)?;
            if lines::is_binary(&sample) {
                content.treatment = Treatment::Binary;
            }
            if content.size.is_none() {
                content.ahead = sample;
            }
        }
        Ok(content)
    }

    /// Whether the content can be read again.
    pub(crate) fn can_repeat(&self) -> bool {
        self.size.is_some()
    }

    /// How many bytes `read` gives, where that can be told without losing them.
    pub(crate) fn length(&mut self) -> Result<Option<u64>> {
        if self.treatment == Treatment::Binary || self.size.is_none() {
            return Ok(self.size);
        }
        let mut length = 0;
        self.each(|bytes| {
            length += bytes.len() as u64;
            Ok(())
        })?;
        Ok(Some(length))
    }

    /// Gives the content to `take`, piece by piece.
    pub(crate) fn each(&mut self, take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let treatment = self.treatment;
        let raw = self.raw().map_err(unreadable)?;
        match treatment {
            Treatment::Binary => pump(&mut { raw }, take),
            Treatment::Text { canon, header } => {
                let prefix: &[u8] = match header {
                    true => TEXT_HEADER,
                    false => &[],
                };
                pump(
                    &mut prefix.chain(lines::canonical(TextOnly(raw), canon)),
                    take,
                )
            }
        }
    }

    /// The bytes before translation.
    fn raw(&mut self) -> io::Result<Box<dyn Read + '_>> {
        match self.size {
            Some(size) => {
                self.stream.seek_to(self.start)?;
                Ok(Box::new((&mut *self.stream).take(size)))
            }
            None => {
                let ahead = Cursor::new(std::mem::take(&mut self.ahead));
                Ok(Box::new(ahead.chain(&mut *self.stream)))
            }
        }
    }
}

/// Refuses bytes that aren't text: translating line ends among them would destroy them.
struct TextOnly<R>(R);

impl<R: Read> Read for TextOnly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.0.read(buffer)?;
        if lines::is_binary(&buffer[..size]) {
            return Err(io::Error::other(Error::failed(
                Reason::CmsCreate,
                "the content looked like text at first but isn't: use -binary",
            )));
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a content becomes.
    fn treated(bytes: &[u8], header: bool) -> Vec<u8> {
        let treatment = Treatment::new(false, false, header);
        let mut stream = Cursor::new(bytes.to_vec());
        let mut content = Content::new(&mut stream, treatment).unwrap();
        let mut out = Vec::new();
        let length = content.length().unwrap();
        content
            .each(|piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
            .unwrap();
        assert_eq!(length, Some(out.len() as u64));
        out
    }

    #[test]
    fn text_is_translated_and_gets_its_header() {
        assert_eq!(treated(b"a\nb", false), b"a\r\nb");
        assert_eq!(treated(b"a", true), b"Content-Type: text/plain\r\n\r\na");
    }

    #[test]
    fn bytes_stay_as_they_are() {
        assert_eq!(treated(b"a\n\0\r\r\nb\r", false), b"a\n\0\r\r\nb\r");
    }

    #[test]
    fn bytes_behind_much_text_are_an_error() {
        let mut bytes = vec![b'x'; 2 << 20];
        bytes.push(0);
        let mut stream = Cursor::new(bytes);
        let treatment = Treatment::new(false, false, false);
        let mut content = Content::new(&mut stream, treatment).unwrap();
        let error = content.each(|_| Ok(())).unwrap_err();
        assert_eq!(error.code(), ["TLS", "CMS", "CREATE"]);
    }
}
