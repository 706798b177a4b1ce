//! Signing: a content beside its signature, or inside the message.

use std::io::Write;

use openssl::asn1::Asn1Object;
use openssl::md::{Md, MdRef};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::ber::{self, Filling, Skeleton};
use super::content::Content;
use super::output::{Wrapping, micalg};
use super::source::Format;
use super::{refused, unwritable};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::{ContentInfo, Flags, ReceiptRequest, ReceiptsFrom, SignerInfo};
use crate::ossl::sign as again;

/// Who signs.
pub(crate) struct Signer {
    /// His certificate.
    pub(crate) certificate: X509,
    /// His key.
    pub(crate) key: PKey<Private>,
    /// Parameters of the signature: name and value.
    pub(crate) key_options: Vec<(String, String)>,
}

/// A request for signed receipts.
pub(crate) struct Receipts {
    /// Who is to send one.
    pub(crate) from: ReceiptsFrom,
    /// The addresses to which they are sent.
    pub(crate) to: Vec<Vec<u8>>,
}

/// How a content is signed.
pub(crate) struct Settings {
    /// The signers, in order.
    pub(crate) signers: Vec<Signer>,
    /// The digest, where it isn't the one that a signer's key suggests.
    pub(crate) digest: Option<Md>,
    /// Further certificates for the message.
    pub(crate) certificates: Vec<X509>,
    /// What is left out or added.
    pub(crate) flags: Flags,
    /// The type of the content.
    pub(crate) inner_type: Option<Asn1Object>,
    /// A request for receipts.
    pub(crate) receipts: Option<Receipts>,
}

/// The ciphers that a signer tells he can read, best first: none that is known to be weak.
const CAPABILITIES: &[Nid] = &[
    Nid::AES_256_GCM,
    Nid::AES_128_GCM,
    Nid::AES_256_CBC,
    Nid::AES_192_CBC,
    Nid::AES_128_CBC,
];

/// The error for a signature that can't be made.
fn failed(stack: &openssl::error::ErrorStack) -> Error {
    refused(Reason::CmsCreate, "can't sign", stack)
}

/// Adds a signer to a message.
pub(super) fn add_signer<'m>(
    message: &'m ContentInfo,
    signer: &Signer,
    digest: Option<&MdRef>,
    flags: Flags,
) -> Result<SignerInfo<'m>> {
    let own_flags = flags
        .and(Flags::PARTIAL)
        .and(Flags::NOSMIMECAP)
        .and_if(!signer.key_options.is_empty(), Flags::KEY_PARAM);
    let info = message
        .add_signer(&signer.certificate, &signer.key, digest, own_flags)
        .map_err(|stack| refused(Reason::CmsCreate, "can't add the signer", &stack))?;
    for (name, value) in &signer.key_options {
        info.set_key_option(name, value).map_err(|stack| {
            refused(
                Reason::CmsCreate,
                &format!("the key doesn't take \"{name}:{value}\""),
                &stack,
            )
        })?;
    }
    if !flags.has(Flags::NOATTR) && !flags.has(Flags::NOSMIMECAP) {
        info.add_capabilities(CAPABILITIES)
            .map_err(|stack| failed(&stack))?;
    }
    Ok(info)
}

/// A message that nobody has signed yet.
fn unsigned(settings: &Settings) -> Result<ContentInfo> {
    let message = ContentInfo::sign(None, settings.flags.and(Flags::DETACHED))
        .map_err(|stack| failed(&stack))?;
    if let Some(inner) = &settings.inner_type {
        message
            .set_inner_type(inner)
            .map_err(|stack| failed(&stack))?;
    }
    Ok(message)
}

/// What stands before the content of the message that is to be signed. Parameters of keys don't show there, and as
/// long as they wait for the signature the message can't be encoded, so this is told from one without them.
fn head(settings: &Settings) -> Result<Skeleton> {
    let message = unsigned(settings)?;
    for signer in &settings.signers {
        let flags = settings.flags.and(Flags::PARTIAL).and(Flags::NOSMIMECAP);
        message
            .add_signer(
                &signer.certificate,
                &signer.key,
                settings.digest.as_deref(),
                flags,
            )
            .map_err(|stack| failed(&stack))?;
    }
    message.chain().map_err(|stack| failed(&stack))?;
    skeleton(&message)
}

/// Makes the message that is to be signed, with its signers.
fn prepare(settings: &Settings) -> Result<ContentInfo> {
    let message = unsigned(settings)?;
    let request = match &settings.receipts {
        Some(receipts) => Some(
            ReceiptRequest::new(&receipts.from, &receipts.to).map_err(|stack| failed(&stack))?,
        ),
        None => None,
    };
    for signer in &settings.signers {
        let info = add_signer(&message, signer, settings.digest.as_deref(), settings.flags)?;
        if let Some(request) = &request {
            info.add_receipt_request(request)
                .map_err(|stack| failed(&stack))?;
        }
    }
    for certificate in &settings.certificates {
        message
            .add_certificate(certificate)
            .map_err(|stack| failed(&stack))?;
    }
    Ok(message)
}

/// Takes the signing time away where it was to be left out and the library has added it.
fn leave_time_out(message: &ContentInfo, settings: &Settings) -> Result<()> {
    if !settings.flags.has(Flags::NO_SIGNING_TIME) {
        return Ok(());
    }
    for (info, signer) in message.signers().iter().zip(&settings.signers) {
        drop_time(info, signer)?;
    }
    Ok(())
}

/// Takes a signer's signing time away, if there is one, and signs what is left.
pub(super) fn drop_time(info: &SignerInfo<'_>, signer: &Signer) -> Result<()> {
    match info.remove_attribute(Nid::PKCS9_SIGNINGTIME) {
        true => sign_attributes(info, signer),
        false => Ok(()),
    }
}

/// Signs a signer's attributes anew, as they are now.
fn sign_attributes(info: &SignerInfo<'_>, signer: &Signer) -> Result<()> {
    let mut attributes = info.attributes().map_err(|stack| failed(&stack))?;
    // The elements of a SET OF stand in the order of their encodings.
    attributes.sort();
    let digest = info.algorithms().0;
    let options: Vec<String> = signer
        .key_options
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    let again = again::Signer {
        key: &signer.key,
        digest: Some(digest.long_name().map_err(|stack| failed(&stack))?),
        options: &options,
        properties: None,
    };
    let signature = again
        .bytes(&[&ber::element(0x31, &attributes.concat())])
        .map_err(|refusal| match refusal {
            again::Refused::Stack(stack) => failed(&stack),
            again::Refused::Option(option) => Error::failed(
                Reason::CmsCreate,
                format!("the key doesn't take \"{option}\""),
            ),
        })?;
    info.set_signature(&signature)
        .map_err(|stack| failed(&stack))
}

/// Signs a content of which only the digest is there, and writes the message.
pub(crate) fn sign_digest(
    digest: &[u8],
    settings: &Settings,
    wrapping: &Wrapping,
    out: &mut dyn Write,
) -> Result<()> {
    let message = prepare(settings)?;
    // The library signs an empty content, since only there it tells the key's parameters; then the digest is put in.
    let chain = message.chain().map_err(|stack| failed(&stack))?;
    message.finish(&chain).map_err(|stack| failed(&stack))?;
    for (info, signer) in message.signers().iter().zip(&settings.signers) {
        let method = Md::from_nid(info.algorithms().0).map(MdRef::size);
        if method.is_some_and(|size| size != digest.len()) {
            return Err(Error::failed_with(
                Reason::CmsOption,
                ["-digest"],
                "the digest hasn't the length that the signer's digest has",
            ));
        }
        info.remove_attribute(Nid::PKCS9_MESSAGEDIGEST);
        info.add_digest(digest).map_err(|stack| failed(&stack))?;
        if settings.flags.has(Flags::NO_SIGNING_TIME) {
            info.remove_attribute(Nid::PKCS9_SIGNINGTIME);
        }
        sign_attributes(info, signer)?;
    }
    let signature = skeleton(&message)?.without_content(Filling::Detached);
    wrapping.whole(out, &signature)
}

/// Signs a content, and gives the message without it.
pub(super) fn sign_apart(content: &mut Content<'_>, settings: &Settings) -> Result<Skeleton> {
    let message = prepare(settings)?;
    let chain = message.chain().map_err(|stack| failed(&stack))?;
    content.each(|bytes| chain.write(bytes).map_err(|stack| failed(&stack)))?;
    message.finish(&chain).map_err(|stack| failed(&stack))?;
    leave_time_out(&message, settings)?;
    skeleton(&message)
}

/// What a message is, without its content.
pub(crate) fn skeleton(message: &ContentInfo) -> Result<Skeleton> {
    let der = message
        .to_der()
        .map_err(|stack| refused(Reason::CmsCreate, "can't encode the message", &stack))?;
    Skeleton::parse(&der).map_err(super::unreadable)
}

/// Signs a content, and writes the message.
pub(crate) fn sign(
    mut content: Content<'_>,
    settings: &Settings,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let message = prepare(settings)?;
    let chain = message.chain().map_err(|stack| failed(&stack))?;
    let pass = |bytes: &[u8]| chain.write(bytes).map_err(|stack| failed(&stack));
    let finish = || {
        message.finish(&chain).map_err(|stack| failed(&stack))?;
        leave_time_out(&message, settings)
    };
    let detached = settings.flags.has(Flags::DETACHED);

    if detached && wrapping.format == Format::Smime {
        let digests = micalg(&head(settings)?);
        return wrapping.beside(out, &digests, |out| {
            content.each(|bytes| {
                pass(bytes)?;
                out.write_all(bytes).map_err(unwritable)
            })?;
            finish()?;
            Ok(skeleton(&message)?.without_content(Filling::Detached))
        });
    }
    if detached {
        content.each(pass)?;
        finish()?;
        let signature = skeleton(&message)?.without_content(Filling::Detached);
        return wrapping.whole(out, &signature);
    }
    if indefinite || !content.can_repeat() {
        return wrapping.message(out, &head(settings)?, None, |out| {
            content.each(|bytes| {
                pass(bytes)?;
                out.write_all(bytes).map_err(unwritable)
            })?;
            finish()?;
            skeleton(&message).map(Some)
        });
    }
    // The lengths in front of the content depend on the signature behind it, so the content is read twice.
    let mut length = 0;
    content.each(|bytes| {
        length += bytes.len() as u64;
        pass(bytes)
    })?;
    finish()?;
    wrapping.message(out, &skeleton(&message)?, Some(length), |out| {
        content.each(|bytes| out.write_all(bytes).map_err(unwritable))?;
        Ok(None)
    })
}
