//! Where bytes come from, and the forms in which a message can be wrapped: DER, PEM, S/MIME.
//!
//! Pure: std only, and the streams of this module.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

use super::lines::Lines;
use super::mime::{self, Encoding, Located};
use super::{base64, quoted};

/// A source of bytes that may be able to start again.
pub(crate) trait Stream: Read {
    /// How many bytes there are, where that is known; then `seek_to` works as well.
    fn size(&self) -> Option<u64>;

    /// Goes to a place counted from the start.
    fn seek_to(&mut self, offset: u64) -> io::Result<()>;
}

impl Stream for Cursor<Vec<u8>> {
    fn size(&self) -> Option<u64> {
        Some(self.get_ref().len() as u64)
    }

    fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        self.set_position(offset);
        Ok(())
    }
}

/// A regular file, whose size was asked for when it was opened.
#[derive(Debug)]
pub(crate) struct FileStream {
    /// The file.
    file: std::fs::File,
    /// Its size; `None` for what isn't a regular file.
    size: Option<u64>,
}

impl FileStream {
    /// Reads a file from its start.
    pub(crate) fn new(mut file: std::fs::File) -> io::Result<Self> {
        let facts = file.metadata()?;
        let size = facts.is_file().then_some(facts.len());
        if size.is_some() {
            file.rewind()?;
        }
        Ok(Self { file, size })
    }

    /// Keeps what a source gives in a temporary file without a name, so that it can be read twice.
    pub(crate) fn spool(source: &mut dyn Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        io::copy(source, &mut file)?;
        Self::new(file)
    }
}

impl Read for FileStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Stream for FileStream {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset)).map(|_| ())
    }
}

/// The forms of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// A mail message.
    #[default]
    Smime,
    /// Base64 between two lines.
    Pem,
    /// Bytes.
    Der,
}

impl Format {
    /// The format of a name, as the program takes it: in any case, and by first letters.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "smime" | "s/mime" | "s" => Some(Self::Smime),
            "pem" | "p" => Some(Self::Pem),
            "der" | "d" | "asn1" | "a" => Some(Self::Der),
            _ => None,
        }
    }
}

/// A message that was found in its wrapping.
pub(crate) enum Opened<'a> {
    /// The whole message as bytes.
    Whole(Box<dyn Read + 'a>),
    /// A signature beside its content, which lies at this place of the source.
    Beside {
        /// The signature's bytes.
        signature: Vec<u8>,
        /// Where the content is.
        content: Range<u64>,
    },
}

/// Finds the message in its wrapping. For S/MIME the stream must be one that can start again.
pub(crate) fn open(stream: &mut dyn Stream, format: Format) -> io::Result<Opened<'_>> {
    if stream.size().is_some() {
        stream.seek_to(0)?;
    }
    match format {
        Format::Der => Ok(Opened::Whole(Box::new(stream))),
        Format::Pem => Ok(Opened::Whole(Box::new(base64::decode(PemBody::new(
            stream,
        )?)))),
        Format::Smime => match mime::locate(stream)? {
            Located::Beside { signature, content } => Ok(Opened::Beside { signature, content }),
            Located::Whole { body, encoding } => {
                stream.seek_to(body.start)?;
                let body = stream.take(body.end - body.start);
                Ok(Opened::Whole(match encoding {
                    Encoding::Base64 => Box::new(base64::decode(body)),
                    Encoding::QuotedPrintable => Box::new(quoted::decode(body)),
                    Encoding::Identity => Box::new(body),
                }))
            }
        },
    }
}

/// The labels of messages in PEM: those that OpenSSL reads, and those that GnuPG writes.
const LABELS: &[&[u8]] = &[
    b"CMS",
    b"PKCS7",
    b"PKCS #7 SIGNED DATA",
    b"CMS OBJECT",
    b"ENCRYPTED MESSAGE",
    b"SIGNED MESSAGE",
];

/// Reads the text between the two lines of PEM.
struct PemBody<R> {
    /// The lines, of which the first was read.
    lines: Lines<R>,
    /// Text that didn't fit.
    held: Vec<u8>,
    /// Whether the last line was reached.
    ended: bool,
}

impl<R: Read> PemBody<R> {
    /// Goes to the first line.
    fn new(source: R) -> io::Result<Self> {
        let mut lines = Lines::new(source);
        while let Some(line) = lines.next_line()? {
            let label = line
                .text()
                .trim_ascii_end()
                .strip_prefix(b"-----BEGIN ")
                .and_then(|rest| rest.strip_suffix(b"-----"));
            if line.is_start && label.is_some_and(|label| LABELS.contains(&label)) {
                return Ok(Self {
                    lines,
                    held: Vec::new(),
                    ended: false,
                });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no start line: \"-----BEGIN CMS-----\" expected",
        ))
    }
}

impl<R: Read> Read for PemBody<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        // As many lines as fit, since a decoder works best on large pieces.
        loop {
            let size = self.held.len().min(buffer.len() - filled);
            buffer[filled..filled + size].copy_from_slice(&self.held[..size]);
            self.held.drain(..size);
            filled += size;
            if self.ended || !self.held.is_empty() || filled == buffer.len() {
                return Ok(filled);
            }
            match self.lines.next_line()? {
                Some(line) if line.is_start && line.bytes.starts_with(b"-----END ") => {
                    self.ended = true;
                }
                Some(line) => self.held.extend_from_slice(line.bytes),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "no end line: \"-----END CMS-----\" expected",
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens a PEM text and reads it.
    fn pem(text: &str) -> io::Result<Vec<u8>> {
        let mut stream = Cursor::new(text.as_bytes().to_vec());
        match open(&mut stream, Format::Pem)? {
            Opened::Whole(mut whole) => {
                let mut bytes = Vec::new();
                whole.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Opened::Beside { .. } => Ok(Vec::new()),
        }
    }

    #[test]
    fn pem_is_found_behind_other_text() {
        let text = "hello\n-----BEGIN CMS-----\nZm9v\nYmFy\n-----END CMS-----\nmore\n";
        assert_eq!(pem(text).unwrap(), b"foobar");
        let text = "-----BEGIN PKCS7-----\r\nZm9v\r\n-----END PKCS7-----\r\n";
        assert_eq!(pem(text).unwrap(), b"foo");
    }

    #[test]
    fn other_labels_and_missing_ends_are_errors() {
        assert!(pem("-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n").is_err());
        assert!(pem("-----BEGIN CMS-----\nZm9v\n").is_err());
        assert!(pem("").is_err());
    }
}
