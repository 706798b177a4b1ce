//! DigestedData: a content with its digest; and Data: a content alone.

use std::io::Write;

use openssl::md::{Md, MdRef};
use openssl::md_ctx::MdCtx;
use openssl::nid::Nid;

use super::ber::{self, Kind, Skeleton};
use super::content::Content;
use super::decrypt::{whole, wrong_type};
use super::output::{StripText, Wrapping};
use super::source::{Format, Stream};
use super::{pump, refused, unreadable, unwritable};
use crate::error::{Error, Reason, Result};

/// The error for a digest that can't be computed.
fn failed(stack: &openssl::error::ErrorStack) -> Error {
    refused(Reason::CmsCreate, "can't compute the digest", stack)
}

/// Computes a digest piece by piece.
struct Hasher(MdCtx);

impl Hasher {
    /// Starts.
    fn new(digest: &MdRef) -> Result<Self> {
        let mut context = MdCtx::new().map_err(|stack| failed(&stack))?;
        context
            .digest_init(digest)
            .map_err(|stack| failed(&stack))?;
        Ok(Self(context))
    }

    /// Takes a piece.
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.digest_update(bytes).map_err(|stack| failed(&stack))
    }

    /// The digest.
    fn finish(mut self) -> Result<Vec<u8>> {
        let mut digest = vec![0; self.0.size()];
        self.0
            .digest_final(&mut digest)
            .map_err(|stack| failed(&stack))?;
        Ok(digest)
    }
}

/// Writes a content as Data.
pub(crate) fn create_data(
    mut content: Content<'_>,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let skeleton = Skeleton {
        kind: Kind::Data,
        before: Vec::new(),
        inner: Vec::new(),
        has_content: true,
        after: Vec::new(),
    };
    let length = match indefinite {
        true => None,
        false => content.length()?,
    };
    wrapping.message(out, &skeleton, length, |out| {
        content.each(|bytes| out.write_all(bytes).map_err(unwritable))?;
        Ok(None)
    })
}

/// Writes the content of a Data.
pub(crate) fn read_data(
    stream: &mut dyn Stream,
    format: Format,
    text: bool,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let mut reader = whole(stream, format)?;
    if reader.skeleton().kind != Kind::Data {
        return Err(wrong_type(reader.skeleton(), "Data"));
    }
    let mut strip = StripText::new(out, text, Reason::CmsRead);
    pump(&mut reader, |bytes| strip.take(bytes))?;
    strip.finish()?;
    reader.finish().map_err(unreadable)
}

/// Writes a content with its digest.
pub(crate) fn create(
    mut content: Content<'_>,
    digest: Nid,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let method = Md::from_nid(digest)
        .ok_or_else(|| Error::failed(Reason::CmsCreate, "the digest isn't one of the library's"))?;
    let object =
        openssl::asn1::Asn1Object::from_str(digest.short_name().map_err(|stack| failed(&stack))?)
            .map_err(|stack| failed(&stack))?;
    let algorithm = ber::element(0x30, &ber::element(0x06, object.as_slice()));
    let mut hasher = Hasher::new(method)?;
    let mut skeleton = Skeleton {
        kind: Kind::Digested,
        before: [ber::version(0), algorithm].concat(),
        inner: Kind::Data.oid().to_vec(),
        has_content: true,
        // The digest is known only behind the content, but its length is.
        after: ber::element(0x04, &vec![0; method.size()]),
    };
    let length = match indefinite {
        true => None,
        false => content.length()?,
    };
    wrapping.message(out, &skeleton.clone(), length, |out| {
        content.each(|bytes| {
            hasher.take(bytes)?;
            out.write_all(bytes).map_err(unwritable)
        })?;
        skeleton.after = ber::element(0x04, &hasher.finish()?);
        Ok(Some(skeleton))
    })
}

/// Checks a content's digest, and writes the content. A content that isn't in the message is given beside it.
pub(crate) fn verify(
    stream: &mut dyn Stream,
    format: Format,
    beside: Option<Content<'_>>,
    text: bool,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let mut reader = whole(stream, format)?;
    let skeleton = reader.skeleton().clone();
    if skeleton.kind != Kind::Digested {
        return Err(wrong_type(&skeleton, "DigestedData"));
    }
    let algorithm = ber::elements(&skeleton.before)
        .nth(1)
        .and_then(|(_, algorithm)| ber::elements(algorithm).next())
        .map(|(_, oid)| super::oid_nid(oid))
        .and_then(Md::from_nid)
        .ok_or_else(|| Error::failed(Reason::CmsVerify, "the digest isn't one of the library's"))?;
    let mut hasher = Hasher::new(algorithm)?;
    let mut strip = StripText::new(out, text, Reason::CmsVerify);
    let mut take = |bytes: &[u8]| {
        hasher.take(bytes)?;
        strip.take(bytes)
    };
    match (beside, skeleton.has_content) {
        (Some(mut content), _) => content.each(take)?,
        (None, true) => pump(&mut reader, &mut take)?,
        (None, false) => {
            return Err(Error::failed(
                Reason::CmsVerify,
                "the message has no content: -content names it",
            ));
        }
    }
    strip.finish()?;
    let skeleton = reader.finish().map_err(unreadable)?;
    let told = ber::elements(&skeleton.after)
        .find(|(tag, _)| *tag == 0x04)
        .map(|(_, digest)| digest.to_vec());
    let seen = hasher.finish()?;
    match told {
        Some(told) if told.len() == seen.len() && openssl::memcmp::eq(&told, &seen) => Ok(skeleton),
        _ => Err(Error::failed_with(
            Reason::CmsVerify,
            ["CONTENT"],
            "the digest is wrong: the content isn't what it was",
        )),
    }
}
