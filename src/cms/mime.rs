//! A MIME reader that finds the signed or encrypted part of a mail, however it is nested.
//!
//! It reads lines as they come and keeps only headers and signatures; contents are told by their place. Pure: std only.

use std::io::{self, Read};
use std::ops::Range;

use super::lines::{Line, Lines};
use super::quoted::hex;
use super::source::Stream;
use super::{base64, quoted};

/// How much of headers one part may have.
const HEADER_LIMIT: usize = 1 << 20;

/// How large a signature beside its content may be.
const SIGNATURE_LIMIT: usize = 64 << 20;

/// How deeply parts may be nested.
const DEPTH_LIMIT: usize = 32;

/// An error about the message.
fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The headers of a message or a part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// Reads headers up to the empty line behind them, or to the end.
    pub(crate) fn read<R: Read>(lines: &mut Lines<R>) -> io::Result<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut size = 0;
        let mut is_first = true;
        while let Some(line) = lines.next_line()? {
            size += line.bytes.len();
            if size > HEADER_LIMIT {
                return Err(bad("the headers are too long"));
            }
            let text = String::from_utf8_lossy(line.text());
            let is_envelope = is_first && (text.starts_with("From ") || text.starts_with(">From "));
            if text.trim().is_empty() {
                // Empty lines in front of a message's headers come from careless programs.
                if fields.is_empty() && is_first {
                    continue;
                }
                break;
            }
            is_first = false;
            if is_envelope {
                continue;
            }
            if text.starts_with([' ', '\t']) || !line.is_start {
                if let Some((_, value)) = fields.last_mut() {
                    value.push_str(&text);
                }
            } else if let Some((name, value)) = text.split_once(':') {
                let name = name.trim_end().to_ascii_lowercase();
                fields.push((name, value.to_owned()));
            }
        }
        Ok(Self(fields))
    }

    /// The value of a field, by its name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The content type, `text/plain` where none is told.
    pub(crate) fn content_type(&self) -> Typed {
        self.field("content-type")
            .map_or_else(|| Typed::parse("text/plain"), Typed::parse)
    }

    /// How the body is encoded.
    fn encoding(&self) -> Encoding {
        let value = self.field("content-transfer-encoding").unwrap_or_default();
        match Typed::parse(value).name.as_str() {
            "base64" => Encoding::Base64,
            "quoted-printable" => Encoding::QuotedPrintable,
            _ => Encoding::Identity,
        }
    }
}

/// How a body is encoded for its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// As base64.
    Base64,
    /// As text with escapes.
    QuotedPrintable,
}

/// A value with parameters, as Content-Type has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The value in lower case.
    pub(crate) name: String,
    /// The parameters, their names in lower case.
    parameters: Vec<(String, String)>,
}

impl Typed {
    /// Reads a value with its parameters, comments left out, continued parameters (RFC 2231) put together.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pieces = split(text).into_iter();
        let name = pieces
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
            .replace([' ', '\t'], "");
        let mut parameters: Vec<(String, String)> = Vec::new();
        let mut continued: Vec<(String, u32, String)> = Vec::new();
        for piece in pieces {
            let Some((name, value)) = piece.split_once('=') else {
                continue;
            };
            let name = name.trim().to_ascii_lowercase();
            let mut value = unquoted(value.trim());
            let extended = name.ends_with('*');
            let name = name.trim_end_matches('*');
            let numbered = name
                .rsplit_once('*')
                .and_then(|(base, number)| Some((base, number.parse::<u32>().ok()?)));
            if extended {
                value = percent_decoded(match numbered {
                    None | Some((_, 0)) => value.splitn(3, '\'').last().unwrap_or_default(),
                    Some(_) => &value,
                });
            }
            match numbered {
                Some((base, number)) => continued.push((base.to_owned(), number, value)),
                None if parameters.iter().any(|(known, _)| known == name) => {}
                None => parameters.push((name.to_owned(), value)),
            }
        }
        // The pieces of a value come in any order.
        continued.sort_by_key(|(_, number, _)| *number);
        let mut joined: Vec<(String, String)> = Vec::new();
        for (base, _, value) in continued {
            match joined.iter_mut().find(|(known, _)| *known == base) {
                Some((_, known)) => known.push_str(&value),
                None => joined.push((base, value)),
            }
        }
        // A value in one piece comes first.
        parameters.extend(joined);
        Self { name, parameters }
    }

    /// A parameter, by its name in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the file name that the headers give ends in one of these ways.
    fn is_named(&self, headers: &Headers, ends: &[&str]) -> bool {
        let disposition = headers.field("content-disposition").map(Self::parse);
        let name = self.parameter("name").or_else(|| {
            disposition
                .as_ref()
                .and_then(|disposition| disposition.parameter("filename"))
        });
        name.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            ends.iter().any(|end| name.ends_with(end))
        })
    }

    /// Whether this is a message of ours, be it by type or by a file name that says so.
    fn is_message(&self, headers: &Headers) -> bool {
        match self.name.as_str() {
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => true,
            "application/octet-stream" => self.is_named(headers, &[".p7m", ".p7z", ".p7c"]),
            _ => false,
        }
    }

    /// Whether this is a signature beside its content, be it by type or by a file name that says so.
    fn is_signature(&self, headers: &Headers) -> bool {
        match self.name.as_str() {
            "application/pkcs7-signature" | "application/x-pkcs7-signature" => true,
            "application/octet-stream" => self.is_named(headers, &[".p7s"]),
            _ => false,
        }
    }
}

/// Cuts a value at its semicolons, and takes comments out; quoted text stays quoted.
fn split(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = (character == '\\' && (quoted || depth > 0))
            .then(|| characters.next())
            .flatten();
        match character {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            ';' if !quoted && depth == 0 => {
                pieces.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0
            && let Some(piece) = pieces.last_mut()
        {
            piece.push(character);
            piece.extend(escaped);
        }
    }
    pieces
}

/// A parameter's value without its quotes.
fn unquoted(value: &str) -> String {
    let Some(inside) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut out = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => out.extend(characters.next()),
            _ => out.push(character),
        }
    }
    out
}

/// A value with `%xx` for bytes.
fn percent_decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().and_then(|digits| hex(*digits));
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What was found in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// A message that holds everything.
    Whole {
        /// Where its encoded body is.
        body: Range<u64>,
        /// How it is encoded.
        encoding: Encoding,
    },
    /// A signature beside its content.
    Beside {
        /// The signature's bytes.
        signature: Vec<u8>,
        /// Where the content is, its headers included.
        content: Range<u64>,
    },
}

/// Finds the first signed or encrypted part of a mail.
pub(crate) fn locate(stream: &mut dyn Stream) -> io::Result<Located> {
    let size = stream.size();
    let mut finder = Finder {
        size,
        lines: Lines::new(stream),
        boundaries: Vec::new(),
    };
    let (found, _) = finder.entity()?;
    found.ok_or_else(|| bad("the mail has no signed or encrypted part"))
}

/// What ended a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The end of the source.
    Source,
    /// A boundary of the multipart at this depth; whether it was the last one.
    Boundary(usize, bool),
}

/// Goes through a mail.
struct Finder<'a> {
    /// The mail's size, where it is known.
    size: Option<u64>,
    /// The mail's lines.
    lines: Lines<&'a mut dyn Stream>,
    /// The boundaries of the multiparts now open, outermost first.
    boundaries: Vec<Vec<u8>>,
}

impl Finder<'_> {
    /// Reads a message or a part: headers and body.
    fn entity(&mut self) -> io::Result<(Option<Located>, End)> {
        let headers = Headers::read(&mut self.lines)?;
        let kind = headers.content_type();
        if self.boundaries.len() >= DEPTH_LIMIT {
            return Err(bad("the mail is nested too deeply"));
        }
        if kind.name.starts_with("multipart/") {
            let Some(boundary) = kind.parameter("boundary") else {
                return Err(bad("a multipart without boundary"));
            };
            self.boundaries
                .push(boundary.trim_end().as_bytes().to_vec());
            let found = match kind.name.as_str() {
                "multipart/signed" => self.signed(),
                _ => self.parts(),
            };
            self.boundaries.pop();
            return match found? {
                (None, End::Boundary(depth, _)) if depth == self.boundaries.len() => {
                    let (_, end) = self.skip()?;
                    Ok((None, end))
                }
                other => Ok(other),
            };
        }
        if kind.name == "message/rfc822" {
            // Nested headers count as a level, so that a chain of them ends as well.
            self.boundaries.push(Vec::new());
            let found = self.entity();
            self.boundaries.pop();
            return found;
        }
        let start = self.lines.offset();
        let (stop, end) = match self.size {
            // No boundary can end this body, so there is nothing to look for.
            Some(size) if self.boundaries.is_empty() => (size, End::Source),
            _ => self.skip()?,
        };
        let found = kind.is_message(&headers).then(|| Located::Whole {
            body: start..stop,
            encoding: headers.encoding(),
        });
        Ok((found, end))
    }

    /// Reads the parts of a multipart until one is what is looked for.
    fn parts(&mut self) -> io::Result<(Option<Located>, End)> {
        let depth = self.boundaries.len() - 1;
        let (_, mut end) = self.skip()?;
        while end == End::Boundary(depth, false) {
            let (found, after) = self.entity()?;
            if found.is_some() {
                return Ok((found, after));
            }
            end = after;
        }
        Ok((None, end))
    }

    /// Reads the two parts of a signed multipart.
    fn signed(&mut self) -> io::Result<(Option<Located>, End)> {
        let depth = self.boundaries.len() - 1;
        let (_, end) = self.skip()?;
        if end != End::Boundary(depth, false) {
            return Ok((None, end));
        }
        let start = self.lines.offset();
        let (stop, end) = self.skip()?;
        if end != End::Boundary(depth, false) {
            return Err(bad("a signed multipart without signature"));
        }
        let headers = Headers::read(&mut self.lines)?;
        let mut text = Vec::new();
        let (_, end) = self.collect(|line| {
            if text.len() + line.bytes.len() > SIGNATURE_LIMIT {
                return Err(bad("the signature is too long"));
            }
            text.extend_from_slice(line.bytes);
            Ok(())
        })?;
        if !headers.content_type().is_signature(&headers) {
            return Ok((None, end));
        }
        let mut signature = Vec::new();
        match headers.encoding() {
            Encoding::Base64 => base64::decode(&text[..]).read_to_end(&mut signature)?,
            Encoding::QuotedPrintable => quoted::decode(&text[..]).read_to_end(&mut signature)?,
            Encoding::Identity => text.as_slice().read_to_end(&mut signature)?,
        };
        let content = start..stop;
        Ok((Some(Located::Beside { signature, content }), end))
    }

    /// Goes behind the next boundary, and tells where the body before it ends.
    fn skip(&mut self) -> io::Result<(u64, End)> {
        self.collect(|_| Ok(()))
    }

    /// Gives each line of a body to `take`, up to the next boundary; the line end before it isn't part of the body. That
    /// is one of the mail's own: where the boundary itself ends with a line feed alone, a CR before it is content.
    fn collect(
        &mut self,
        mut take: impl FnMut(Line<'_>) -> io::Result<()>,
    ) -> io::Result<(u64, End)> {
        let mut stop = self.lines.offset();
        let start = stop;
        let mut last_end = 0;
        loop {
            let Some(line) = self.lines.next_line()? else {
                return Ok((stop, End::Source));
            };
            if line.is_start
                && line.bytes.starts_with(b"--")
                && let Some((depth, is_last)) = matching(&self.boundaries, line.text())
            {
                if line.bytes.ends_with(b"\n") && !line.bytes.ends_with(b"\r\n") {
                    last_end = last_end.min(1);
                }
                return Ok((start.max(stop - last_end), End::Boundary(depth, is_last)));
            }
            take(line)?;
            last_end = (line.bytes.len() - line.text().len()) as u64;
            stop += line.bytes.len() as u64;
        }
    }
}

/// Which of the boundaries a line is, innermost first, and whether it is the last one.
fn matching(boundaries: &[Vec<u8>], line: &[u8]) -> Option<(usize, bool)> {
    let line = line.trim_ascii_end().strip_prefix(b"--")?;
    boundaries
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, boundary)| !boundary.is_empty())
        .find_map(
            |(depth, boundary)| match line.strip_prefix(boundary.as_slice())? {
                b"" => Some((depth, false)),
                b"--" => Some((depth, true)),
                _ => None,
            },
        )
}

#[cfg(test)]
mod tests;
