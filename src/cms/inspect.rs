//! Messages as they are: written again, printed, and receipts for them.

use std::io::{Cursor, Read, Write};

use openssl::x509::X509;

use super::ber::{Filling, Kind, Reader, Skeleton};
use super::output::Wrapping;
use super::sign;
use super::source::{Format, Opened, Stream, open};
use super::verify::{self, stack};
use super::{pump, refused, unreadable, unwritable};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::{ContentInfo, Flags};

/// Reads a message without keeping its content: what is left of it, how long the content in it was, and where there is
/// one beside the message.
pub(super) fn survey(
    stream: &mut dyn Stream,
    format: Format,
) -> Result<(Skeleton, u64, Option<std::ops::Range<u64>>)> {
    match open(stream, format).map_err(unreadable)? {
        Opened::Whole(whole) => {
            let (skeleton, length) = measured(whole)?;
            Ok((skeleton, length, None))
        }
        Opened::Beside { signature, content } => {
            let (skeleton, length) = measured(&signature[..])?;
            Ok((skeleton, length, Some(content)))
        }
    }
}

/// What is left of a message without its content, and how long that was.
fn measured(message: impl Read) -> Result<(Skeleton, u64)> {
    let mut reader = Reader::new(message).map_err(unreadable)?;
    let mut length = 0;
    pump(&mut reader, |bytes| {
        length += bytes.len() as u64;
        Ok(())
    })?;
    Ok((reader.finish().map_err(unreadable)?, length))
}

/// A message without its content, for OpenSSL.
pub(super) fn parsed(skeleton: &Skeleton) -> Result<ContentInfo> {
    let filling = match skeleton.kind {
        // Here the content isn't optional.
        Kind::Data if skeleton.has_content => Filling::Empty,
        _ => Filling::Detached,
    };
    ContentInfo::from_der(&skeleton.without_content(filling))
        .map_err(|stack| refused(Reason::CmsRead, "can't read the message", &stack))
}

/// The certificates inside a message.
pub(crate) fn certificates(skeleton: &Skeleton) -> Result<Vec<X509>> {
    let certificates = parsed(skeleton)?
        .certificates()
        .map_err(|stack| refused(Reason::CmsRead, "can't read the certificates", &stack))?;
    Ok(certificates.iter().map(ToOwned::to_owned).collect())
}

/// Writes a message again; without a wrapping it is only read.
pub(crate) fn copy(
    stream: &mut dyn Stream,
    format: Format,
    wrapping: Option<&Wrapping>,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let Some(wrapping) = wrapping else {
        let (skeleton, ..) = survey(stream, format)?;
        parsed(&skeleton)?;
        return Ok(skeleton);
    };
    if stream.size().is_none() {
        let Opened::Whole(whole) = open(stream, format).map_err(unreadable)? else {
            return Err(Error::failed(
                Reason::CmsRead,
                "a mail must come from a file",
            ));
        };
        let reader = Reader::new(whole).map_err(unreadable)?;
        let head = reader.skeleton().clone();
        return rewrite(reader, head, None, wrapping, out);
    }
    let (skeleton, length, _) = survey(stream, format)?;
    parsed(&skeleton)?;
    if !skeleton.has_content {
        wrapping.whole(out, &skeleton.without_content(Filling::Detached))?;
        return Ok(skeleton);
    }
    let message: Box<dyn Read + '_> = match open(stream, format).map_err(unreadable)? {
        Opened::Whole(whole) => whole,
        // Beside a content there may be a message with one of its own.
        Opened::Beside { signature, .. } => Box::new(Cursor::new(signature)),
    };
    let reader = Reader::new(message).map_err(unreadable)?;
    rewrite(reader, skeleton, Some(length), wrapping, out)
}

/// Writes a message around the content that a reader gives.
fn rewrite(
    mut reader: Reader<Box<dyn Read + '_>>,
    skeleton: Skeleton,
    length: Option<u64>,
    wrapping: &Wrapping,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let mut last = skeleton.clone();
    wrapping.message(out, &skeleton, length, |out| {
        pump(&mut reader, |bytes| {
            out.write_all(bytes).map_err(unwritable)
        })?;
        last = reader.finish().map_err(unreadable)?;
        Ok(Some(last.clone()))
    })?;
    Ok(last)
}

/// Everything that a message holds, for people; and what it is without its content.
pub(crate) fn print(
    stream: &mut dyn Stream,
    format: Format,
    name_flags: Option<u64>,
) -> Result<(Vec<u8>, Skeleton)> {
    let mut message = Vec::new();
    match open(stream, format).map_err(unreadable)? {
        Opened::Whole(mut whole) => {
            whole.read_to_end(&mut message).map_err(unreadable)?;
        }
        Opened::Beside { signature, .. } => message = signature,
    }
    let text = print_bytes(&message, name_flags)?;
    Ok((text, Skeleton::parse(&message).map_err(unreadable)?))
}

/// The same for a message in memory.
pub(crate) fn print_bytes(message: &[u8], name_flags: Option<u64>) -> Result<Vec<u8>> {
    ContentInfo::from_der(message)
        .and_then(|message| message.print(name_flags))
        .map_err(|stack| refused(Reason::CmsRead, "can't read the message", &stack))
}

/// Makes a signed receipt for a message that asks for one.
pub(crate) fn sign_receipt(
    stream: &mut dyn Stream,
    format: Format,
    settings: &sign::Settings,
    wrapping: &Wrapping,
    out: &mut dyn Write,
) -> Result<()> {
    let (skeleton, ..) = survey(stream, format)?;
    let message = parsed(&skeleton)?;
    let failed = |stack| refused(Reason::CmsCreate, "can't make a receipt", &stack);
    let certificates = stack(settings.certificates.clone()).map_err(failed)?;
    let signers = message.signers();
    let (Some(first), Some(signer)) = (signers.first(), settings.signers.first()) else {
        return Err(Error::failed(Reason::CmsRead, "the message has no signers"));
    };
    let receipt = first
        .sign_receipt(
            &signer.certificate,
            &signer.key,
            Some(&certificates),
            settings.flags.and(Flags::NOSMIMECAP),
        )
        .map_err(failed)?;
    wrapping.whole(out, &receipt.to_der().map_err(failed)?)
}

/// Verifies a receipt and that it is for this message.
pub(crate) fn verify_receipt(
    receipt: &mut dyn Stream,
    receipt_format: Format,
    stream: &mut dyn Stream,
    settings: &verify::Settings,
) -> Result<()> {
    let (skeleton, ..) = survey(stream, settings.format)?;
    let original = parsed(&skeleton)?;
    let mut bytes = Vec::new();
    match open(receipt, receipt_format).map_err(unreadable)? {
        Opened::Whole(mut whole) => {
            whole.read_to_end(&mut bytes).map_err(unreadable)?;
        }
        Opened::Beside { .. } => {
            return Err(Error::failed(
                Reason::CmsRead,
                "the receipt has a content beside it",
            ));
        }
    }
    let wrong = |stack| refused(Reason::CmsVerify, "the receipt is wrong", &stack);
    let receipt = ContentInfo::from_der(&bytes)
        .map_err(|stack| refused(Reason::CmsRead, "can't read the receipt", &stack))?;
    let certificates = stack(settings.certificates.clone()).map_err(wrong)?;
    let flags = Flags::NONE
        .and_if(settings.no_intern, Flags::NOINTERN)
        .and_if(settings.no_chain, Flags::NO_SIGNER_CERT_VERIFY)
        .and_if(settings.no_attributes, Flags::NO_ATTR_VERIFY)
        .and_if(settings.no_content, Flags::NO_CONTENT_VERIFY)
        .and_if(settings.cades, Flags::CADES);
    receipt
        .check_receipt(&original, Some(&certificates), &settings.store, flags)
        .map_err(wrong)
}
