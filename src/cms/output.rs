//! Messages on their way out: DER, PEM or a mail, byte for byte as the program writes them.

use std::io::{self, Write};

use super::base64::Encoder;
use super::ber::{self, Kind, Skeleton};
use super::source::Format;
use super::unwritable;
use crate::error::{Error, Reason, Result};

/// How a message is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapping {
    /// The form.
    pub(crate) format: Format,
    /// Whether a mail's lines end with CR LF.
    pub(crate) crlf: bool,
    /// The mail headers in front: name and value.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What a mail says about the message in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    /// The `smime-type`, where there is one.
    kind: Option<&'static str>,
    /// The file name.
    file: &'static str,
}

impl Label {
    /// The label of a message.
    pub(crate) fn of(skeleton: &Skeleton) -> Self {
        let kind = match skeleton.kind {
            Kind::Signed if skeleton.inner == RECEIPT => Some("signed-receipt"),
            Kind::Signed => Some("signed-data"),
            Kind::Enveloped => Some("enveloped-data"),
            Kind::AuthEnveloped => Some("authEnveloped-data"),
            Kind::Compressed => Some("compressed-data"),
            _ => None,
        };
        let file = match skeleton.kind {
            Kind::Compressed => "smime.p7z",
            _ => "smime.p7m",
        };
        Self { kind, file }
    }
}

/// The encoded content type of a receipt.
const RECEIPT: &[u8] = &[6, 11, 42, 134, 72, 134, 247, 13, 1, 9, 16, 1, 1];

impl Wrapping {
    /// Bytes alone.
    pub(crate) fn der() -> Self {
        Self {
            format: Format::Der,
            ..Self::default()
        }
    }

    /// The end of a mail's lines.
    const fn eol(&self) -> &'static str {
        match self.crlf {
            true => "\r\n",
            false => "\n",
        }
    }

    /// The mail headers that the caller gave.
    fn own_headers(&self) -> String {
        let eol = self.eol();
        self.headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}{eol}"))
            .collect()
    }

    /// Writes a message whose bytes `write` gives.
    pub(crate) fn wrap(
        &self,
        out: &mut dyn Write,
        label: Label,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let (head, tail) = match self.format {
            Format::Der => return write(out),
            Format::Pem => ("-----BEGIN CMS-----\n".to_owned(), "-----END CMS-----\n"),
            Format::Smime => {
                let eol = self.eol();
                let file = label.file;
                let kind = label
                    .kind
                    .map_or_else(String::new, |kind| format!(" smime-type={kind};"));
                let head = format!(
                    "{}MIME-Version: 1.0{eol}Content-Disposition: attachment; filename=\"{file}\"{eol}\
                     Content-Type: application/pkcs7-mime;{kind} name=\"{file}\"{eol}\
                     Content-Transfer-Encoding: base64{eol}{eol}",
                    self.own_headers(),
                );
                (head, eol)
            }
        };
        out.write_all(head.as_bytes()).map_err(unwritable)?;
        let mut encoder = Encoder::new(&mut *out);
        write(&mut encoder)?;
        encoder.finish().map_err(unwritable)?;
        out.write_all(tail.as_bytes()).map_err(unwritable)
    }

    /// Writes a message around a content of known or unknown length; `feed` writes the content and returns the
    /// message as it then is.
    pub(crate) fn message(
        &self,
        out: &mut dyn Write,
        skeleton: &Skeleton,
        length: Option<u64>,
        feed: impl FnOnce(&mut dyn Write) -> Result<Option<Skeleton>>,
    ) -> Result<()> {
        self.wrap(out, Label::of(skeleton), |out| {
            let mut writer = ber::Writer::new(out, skeleton, length).map_err(unwritable)?;
            let finished = feed(&mut writer)?;
            writer
                .finish(finished.as_ref().unwrap_or(skeleton))
                .map_err(unwritable)?;
            Ok(())
        })
    }

    /// Writes a whole message that holds no large content.
    pub(crate) fn whole(&self, out: &mut dyn Write, message: &[u8]) -> Result<()> {
        let skeleton = Skeleton::parse(message).map_err(super::unreadable)?;
        self.wrap(out, Label::of(&skeleton), |out| {
            out.write_all(message).map_err(unwritable)
        })
    }

    /// Writes a mail with a content and its signature beside it. `feed` writes the content and returns the signature.
    pub(crate) fn beside(
        &self,
        out: &mut dyn Write,
        digests: &str,
        feed: impl FnOnce(&mut dyn Write) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let eol = self.eol();
        let boundary = boundary()?;
        let head = format!(
            "{}MIME-Version: 1.0{eol}\
             Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=\"{digests}\"; \
             boundary=\"----{boundary}\"{eol}{eol}This is an S/MIME signed message{eol}{eol}------{boundary}{eol}",
            self.own_headers(),
        );
        out.write_all(head.as_bytes()).map_err(unwritable)?;
        let signature = feed(out)?;
        let middle = format!(
            "{eol}------{boundary}{eol}Content-Type: application/pkcs7-signature; name=\"smime.p7s\"{eol}\
             Content-Transfer-Encoding: base64{eol}Content-Disposition: attachment; filename=\"smime.p7s\"{eol}{eol}"
        );
        let tail = format!("{eol}------{boundary}--{eol}{eol}");
        let mut write = || -> io::Result<()> {
            out.write_all(middle.as_bytes())?;
            let mut encoder = Encoder::new(&mut *out);
            encoder.write_all(&signature)?;
            encoder.finish()?;
            out.write_all(tail.as_bytes())
        };
        write().map_err(unwritable)
    }
}

/// A random boundary of 32 hexadecimal digits.
fn boundary() -> Result<String> {
    let mut random = [0; 16];
    openssl::rand::rand_bytes(&mut random)
        .map_err(|stack| super::refused(Reason::CmsCreate, "no random bytes", &stack))?;
    Ok(random.iter().map(|byte| format!("{byte:02X}")).collect())
}

/// The names of the digests of a signed message, as `micalg` tells them.
pub(crate) fn micalg(skeleton: &Skeleton) -> String {
    let set = ber::elements(&skeleton.before)
        .nth(1)
        .map_or(&[][..], |(_, body)| body);
    let names: Vec<&str> = ber::elements(set)
        .map(|(_, algorithm)| {
            let oid = ber::elements(algorithm)
                .next()
                .map_or(&[][..], |(_, oid)| oid);
            MICALGS
                .iter()
                .find(|(known, _)| *known == oid)
                .map_or("unknown", |(_, name)| *name)
        })
        .collect();
    names.join(",")
}

/// The digests that mail has names for.
const MICALGS: &[(&[u8], &str)] = &[
    (&[42, 134, 72, 134, 247, 13, 2, 5], "md5"),
    (&[43, 14, 3, 2, 26], "sha1"),
    (&[96, 134, 72, 1, 101, 3, 4, 2, 1], "sha-256"),
    (&[96, 134, 72, 1, 101, 3, 4, 2, 2], "sha-384"),
    (&[96, 134, 72, 1, 101, 3, 4, 2, 3], "sha-512"),
];

/// Takes the headers of a text/plain part off what is written through it.
pub(crate) struct StripText<'a> {
    /// Where the text goes.
    out: &'a mut dyn Write,
    /// The headers as far as they came; `None` once they are over.
    headers: Option<Vec<u8>>,
    /// The reason for the error if there are none.
    reason: Reason,
}

/// How long the headers may be.
const HEADER_LIMIT: usize = 64 << 10;

impl<'a> StripText<'a> {
    /// In front of `out`; if not asked to strip, everything passes.
    pub(crate) fn new(out: &'a mut dyn Write, strip: bool, reason: Reason) -> Self {
        Self {
            out,
            headers: strip.then(Vec::new),
            reason,
        }
    }

    /// Takes a piece.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(headers) = &mut self.headers else {
            return self.out.write_all(bytes).map_err(unwritable);
        };
        headers.extend_from_slice(bytes);
        let Some(end) = end_of_headers(headers) else {
            if headers.len() > HEADER_LIMIT {
                return Err(not_text(self.reason));
            }
            return Ok(());
        };
        let mut lines = super::lines::Lines::new(&headers[..end]);
        let parsed = super::mime::Headers::read(&mut lines).map_err(super::unreadable)?;
        if parsed.field("content-type").is_none() || parsed.content_type().name != "text/plain" {
            return Err(not_text(self.reason));
        }
        let rest = headers.split_off(end);
        self.headers = None;
        self.out.write_all(&rest).map_err(unwritable)
    }

    /// Says whether the headers came to an end.
    pub(crate) fn finish(self) -> Result<()> {
        match self.headers {
            Some(_) => Err(not_text(self.reason)),
            None => Ok(()),
        }
    }
}

/// The error for a content that isn't text/plain.
fn not_text(reason: Reason) -> Error {
    Error::failed_with(
        reason,
        ["TEXT"],
        "-text was given, but the content's type isn't text/plain",
    )
}

/// Where the empty line behind headers ends.
fn end_of_headers(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(length) = memchr::memchr(b'\n', &bytes[start..]) {
        let line = &bytes[start..start + length];
        start += length + 1;
        if line.is_empty() || line == b"\r" {
            return Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a text in pieces of a size.
    fn stripped(text: &str, piece: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut strip = StripText::new(&mut out, true, Reason::CmsVerify);
        for part in text.as_bytes().chunks(piece) {
            strip.take(part)?;
        }
        strip.finish()?;
        Ok(out)
    }

    #[test]
    fn text_headers_go_whatever_the_pieces() {
        for piece in 1..40 {
            let text = "Content-Type: text/plain; charset=utf-8\r\nX: y\r\n\r\nbody\r\n";
            assert_eq!(stripped(text, piece).unwrap(), b"body\r\n");
        }
    }

    #[test]
    fn other_types_are_errors() {
        assert!(stripped("Content-Type: text/html\n\nbody", 9).is_err());
        assert!(stripped("no headers\n\nbody", 9).is_err());
        assert!(stripped("", 9).is_err());
    }
}
