//! Further signers for a signed message.
//!
//! Where the content is at hand the new signers sign it as if they were the first, with any digest, and what they made
//! is put beside what is there. Without it they take over a digest that another signer tells.

use std::io::{Read, Write};

use openssl::asn1::Asn1Object;

use super::ber::{self, Kind, Reader, Skeleton};
use super::content::{Content, Treatment};
use super::decrypt::{whole, wrong_type};
use super::inspect::{parsed, survey};
use super::output::{Wrapping, micalg};
use super::sign::{self, Settings};
use super::source::{Format, Stream};
use super::verify::TEXT_WITH_CRLF;
use super::{ber::Filling, pump, refused, unreadable, unwritable};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::Flags;

/// A message that gets further signers.
pub(crate) struct Message<'m> {
    /// Where it comes from; it must be possible to read it twice.
    pub(crate) stream: &'m mut dyn Stream,
    /// Its form.
    pub(crate) format: Format,
    /// The content, where it isn't in the message.
    pub(crate) beside: Option<&'m mut dyn Stream>,
    /// Whether the line ends of a content beside the message stay as they are.
    pub(crate) binary: bool,
}

/// Adds signers to a signed message, and writes it.
pub(crate) fn resign(
    mut message: Message<'_>,
    mut settings: Settings,
    wrapping: &Wrapping,
    out: &mut dyn Write,
) -> Result<()> {
    let (old, length, place) = survey(message.stream, message.format)?;
    if old.kind != Kind::Signed {
        return Err(wrong_type(&old, "SignedData"));
    }
    settings.inner_type = ber::elements(&old.inner)
        .next()
        .and_then(|(_, oid)| crate::x509::der::oid(oid))
        .and_then(|text| Asn1Object::from_str(&text).ok());
    let new = sign_again(&mut message, &old, place.clone(), &settings)?;
    let Message { stream, format, .. } = message;
    if let (Some(place), Format::Smime) = (place, wrapping.format) {
        stream.seek_to(place.start).map_err(unreadable)?;
        let mut content = stream.take(place.end - place.start);
        return wrapping.beside(out, &micalg(&new), |out| {
            pump(&mut content, |bytes| {
                out.write_all(bytes).map_err(unwritable)
            })?;
            Ok(new.without_content(Filling::Detached))
        });
    }
    if !old.has_content {
        return wrapping.whole(out, &new.without_content(Filling::Detached));
    }
    let mut reader = whole(stream, format)?;
    wrapping.message(out, &new, Some(length), |out| {
        pump(&mut reader, |bytes| {
            out.write_all(bytes).map_err(unwritable)
        })?;
        Ok(None)
    })
}

/// The message with the new signers, without its content.
fn sign_again(
    message: &mut Message<'_>,
    old: &Skeleton,
    place: Option<std::ops::Range<u64>>,
    settings: &Settings,
) -> Result<Skeleton> {
    let ascii = old.inner == TEXT_WITH_CRLF && !message.binary;
    let treatment = Treatment::new(message.binary, ascii, false);
    let new = match (&mut message.beside, place) {
        (Some(beside), _) => {
            sign::sign_apart(&mut Content::new(&mut **beside, treatment)?, settings)?
        }
        (None, Some(place)) => {
            let size = Some(place.end - place.start);
            let stream = &mut *message.stream;
            sign::sign_apart(
                &mut Content::part(stream, place.start, size, treatment)?,
                settings,
            )?
        }
        (None, None) if old.has_content => {
            let mut reader = Once(whole(message.stream, message.format)?);
            sign::sign_apart(&mut Content::new(&mut reader, Treatment::Binary)?, settings)?
        }
        (None, None) => return reuse_digest(old, settings),
    };
    merge(old, &new)
}

/// A content that is read once.
struct Once<'s>(Reader<Box<dyn Read + 's>>);

impl Read for Once<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Stream for Once<'_> {
    fn size(&self) -> Option<u64> {
        None
    }

    fn seek_to(&mut self, _: u64) -> std::io::Result<()> {
        Err(std::io::Error::other("the content can't start again"))
    }
}

/// Adds signers who take over the digest that another one tells.
fn reuse_digest(old: &Skeleton, settings: &Settings) -> Result<Skeleton> {
    let message = parsed(old)?;
    let failed = |stack| refused(Reason::CmsCreate, "can't sign", &stack);
    for signer in &settings.signers {
        if !signer.key_options.is_empty() {
            let message = "parameters of a key need the content: -content names it";
            return Err(Error::failed_with(Reason::CmsOption, ["-keyopt"], message));
        }
        let flags = settings.flags.and(Flags::REUSE_DIGEST);
        let info = sign::add_signer(&message, signer, settings.digest.as_deref(), flags)?;
        info.sign().map_err(failed)?;
        if settings.flags.has(Flags::NO_SIGNING_TIME) {
            sign::drop_time(&info, signer)?;
        }
    }
    for certificate in &settings.certificates {
        message.add_certificate(certificate).map_err(failed)?;
    }
    sign::skeleton(&message)
}

/// Puts together what two messages say about the same content.
fn merge(old: &Skeleton, new: &Skeleton) -> Result<Skeleton> {
    /// The tag of an INTEGER.
    const INTEGER: u8 = 0x02;
    /// The tag of a SET.
    const SET: u8 = 0x31;
    // As OpenSSL encodes it, all lengths are definite.
    let old = sign::skeleton(&parsed(old)?)?;
    let version = [&old, new]
        .into_iter()
        .filter_map(|one| ber::elements(&one.before).find(|(tag, _)| *tag == INTEGER))
        .map(|(_, version)| version)
        .max()
        .unwrap_or(&[1]);
    let before = [
        ber::element(INTEGER, version),
        united(&old.before, &new.before, SET),
    ];
    let after = [0xa0, 0xa1, SET].map(|tag| united(&old.after, &new.after, tag));
    Ok(Skeleton {
        kind: Kind::Signed,
        before: before.concat(),
        after: after.concat(),
        ..old
    })
}

/// The sets of a tag in two encodings as one; nothing where neither has one.
fn united(one: &[u8], other: &[u8], tag: u8) -> Vec<u8> {
    let found = |encoding| ber::elements(encoding).find(|(found, _)| *found == tag);
    let sets = [found(one), found(other)];
    let mut elements: Vec<Vec<u8>> = sets
        .iter()
        .flatten()
        .flat_map(|(_, set)| ber::elements(set))
        .map(|(tag, body)| ber::element(tag, body))
        .collect();
    elements.sort();
    elements.dedup();
    match sets.iter().flatten().next() {
        Some(_) => ber::element(tag, &elements.concat()),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_united_in_order_and_without_doubles() {
        let one = ber::element(0x31, &[4, 1, 2, 4, 1, 1]);
        let other = ber::element(0x31, &[4, 1, 3, 4, 1, 1]);
        assert_eq!(
            united(&one, &other, 0x31),
            [0x31, 9, 4, 1, 1, 4, 1, 2, 4, 1, 3]
        );
        assert_eq!(united(&one, &[], 0x31), [0x31, 6, 4, 1, 1, 4, 1, 2]);
        assert_eq!(united(&one, &other, 0xa0), [0_u8; 0]);
    }
}
