//! The outermost layers of a CMS message in BER or DER: which there are, and a message without its content.
//!
//! The content, which may be of any size, passes by: [`Reader`] separates it from the structure around it, which is small
//! and is kept as it is encoded, and [`Writer`] puts the structure around it. Pure: std only; a stranger to OpenSSL.

mod input;
mod reader;
mod writer;

use std::io;

use input::Input;

pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

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

/// The version number that a message begins with.
pub(crate) fn version(number: u8) -> Vec<u8> {
    element(tag::INTEGER, &[number])
}

#[cfg(test)]
mod tests;
