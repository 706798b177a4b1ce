//! Decrypting: by recipient, or with a key that both sides have.

use std::io::{Read, Write};

use openssl::cipher_ctx::CipherCtxRef;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::ber::{self, Filling, Kind, Reader, Skeleton};
use super::encrypt::{last, update};
use super::output::StripText;
use super::source::{Format, Opened, Stream, open};
use super::{pump, recipients, refused, unreadable};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::{Chain, ContentInfo, Flags};
use crate::ossl::secret::Secret;

/// The keys with which a message may be opened; they are tried in this order.
#[derive(Default)]
pub(crate) struct Keys {
    /// A key that both sides have, with its name if that is to fit.
    pub(crate) secret: Option<(Secret, Option<Vec<u8>>)>,
    /// A private key.
    pub(crate) private: Option<PKey<Private>>,
    /// The certificate of that key.
    pub(crate) certificate: Option<X509>,
    /// The certificate of the sender's key for an agreement.
    pub(crate) originator: Option<X509>,
    /// A password.
    pub(crate) password: Option<Secret>,
}

/// How a message is decrypted.
pub(crate) struct Settings {
    /// The message's form.
    pub(crate) format: Format,
    /// The keys.
    pub(crate) keys: Keys,
    /// Whether a failure shows at once.
    pub(crate) debug: bool,
    /// Whether the headers of a text/plain content are taken off.
    pub(crate) text: bool,
}

/// The error for a message that can't be decrypted.
pub(super) fn failed(stack: &openssl::error::ErrorStack) -> Error {
    refused(Reason::CmsDecrypt, "can't decrypt", stack)
}

/// The error for a message of another type.
pub(crate) fn wrong_type(skeleton: &Skeleton, wanted: &str) -> Error {
    Error::failed(
        Reason::CmsRead,
        format!("the message is {}, not {wanted}", skeleton.kind.name()),
    )
}

/// Opens a message of which everything is in one piece.
pub(crate) fn whole(stream: &mut dyn Stream, format: Format) -> Result<Reader<Box<dyn Read + '_>>> {
    match open(stream, format).map_err(unreadable)? {
        Opened::Whole(whole) => Reader::new(whole).map_err(unreadable),
        Opened::Beside { .. } => Err(Error::failed(
            Reason::CmsRead,
            "the mail is signed, with the signature beside its content",
        )),
    }
}

/// Decrypts a message for recipients; what is `beside` stands in place of its encrypted content.
pub(crate) fn decrypt(
    stream: &mut dyn Stream,
    beside: Option<&mut dyn Stream>,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let behind = match stream.size() {
        // What authenticates the content stands behind it; where the stream can start again it is read first.
        Some(_) => authentication(stream, settings.format)?,
        None => None,
    };
    let reader = whole(stream, settings.format)?;
    let skeleton = reader.skeleton().clone();
    if !matches!(skeleton.kind, Kind::Enveloped | Kind::AuthEnveloped) {
        return Err(wrong_type(&skeleton, "EnvelopedData"));
    }
    if let (Some(key), Some(certificate)) = (&settings.keys.private, &settings.keys.certificate)
        && !certificate
            .public_key()
            .is_ok_and(|public| public.public_eq(key))
    {
        return Err(Error::failed(
            Reason::CmsDecrypt,
            "the private key doesn't fit the recipient's certificate",
        ));
    }
    let mut addressed = skeleton.clone();
    let mut opens = true;
    let keys = &settings.keys;
    if let Some(key) = &keys.private
        && (settings.debug || keys.certificate.is_none())
    {
        let found = recipients::find(&skeleton, key, keys.originator.as_ref())?;
        opens = found.opens;
        if keys.certificate.is_none() {
            addressed = found.skeleton;
        }
    }
    if settings.debug && !opens {
        return Err(Error::failed(
            Reason::CmsDecrypt,
            "the private key doesn't fit",
        ));
    }
    let message = message(&addressed)?;
    open_key(&message, settings)?;
    let chain = message.chain().map_err(|stack| failed(&stack))?;
    let outcome = pass(chain, reader, beside, behind, settings.text, out);
    // What a key made up in defence against probing gives may by chance look like content: that nothing has opened the
    // message is told only afterwards. Where the certificate is known, the key is right, and whether a message was probed
    // with stays untold.
    match outcome {
        Ok(_) if !opens => Err(Error::failed(
            Reason::CmsDecrypt,
            "can't decrypt: bad decrypt",
        )),
        outcome => outcome,
    }
}

/// Decrypts a message with a key that both sides have; what is `beside` stands in place of its encrypted content.
pub(crate) fn decrypt_with_key(
    stream: &mut dyn Stream,
    beside: Option<&mut dyn Stream>,
    format: Format,
    key: &Secret,
    text: bool,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let reader = whole(stream, format)?;
    let skeleton = reader.skeleton().clone();
    if skeleton.kind != Kind::Encrypted {
        return Err(wrong_type(&skeleton, "EncryptedData"));
    }
    let message = message(&skeleton)?;
    message
        .set_encrypted_key(None, key)
        .map_err(|stack| failed(&stack))?;
    let chain = message.chain().map_err(|stack| failed(&stack))?;
    pass(chain, reader, beside, None, text, out)
}

/// The message without its content, as far as OpenSSL has to see it.
pub(super) fn message(skeleton: &Skeleton) -> Result<ContentInfo> {
    let mut skeleton = skeleton.clone();
    if skeleton.kind == Kind::AuthEnveloped {
        // The tag isn't known yet, and is set before it is needed.
        skeleton.after = ber::element(0x04, &[0; 16]);
    }
    ContentInfo::from_der(&skeleton.without_content(Filling::Empty))
        .map_err(|stack| refused(Reason::CmsRead, "can't read the message", &stack))
}

/// Opens the content key with the keys that were given.
fn open_key(message: &ContentInfo, settings: &Settings) -> Result<()> {
    let keys = &settings.keys;
    // Without a certificate the recipient was looked for, and whether he was found is known.
    let searched = keys.private.is_some() && keys.certificate.is_none();
    let flags = Flags::NONE.and_if(settings.debug && !searched, Flags::DEBUG_DECRYPT);
    message
        .prepare_decryption(flags)
        .map_err(|stack| failed(&stack))?;
    if let Some((secret, id)) = &keys.secret {
        message
            .decrypt_with_secret(secret, id.as_deref())
            .map_err(|stack| refused(Reason::CmsDecrypt, "the secret key doesn't fit", &stack))?;
    }
    if let Some(key) = &keys.private {
        message
            .decrypt_with_key(key, keys.certificate.as_deref(), keys.originator.as_deref())
            .map_err(|stack| refused(Reason::CmsDecrypt, "the private key doesn't fit", &stack))?;
    }
    if let Some(password) = &keys.password {
        message
            .decrypt_with_password(password)
            .map_err(|stack| refused(Reason::CmsDecrypt, "the password doesn't fit", &stack))?;
    }
    Ok(())
}

/// What authenticates an AuthEnvelopedData, in front of its content's encoding and behind it.
struct Authentication {
    /// The attributes, as they go into the tag; empty where there are none.
    attributes: Vec<u8>,
    /// The tag.
    tag: Vec<u8>,
}

impl Authentication {
    /// From what stands behind the content.
    fn read(after: &[u8]) -> Result<Self> {
        let mut attributes = Vec::new();
        for (tag, body) in ber::elements(after) {
            match tag {
                0xa1 => attributes = ber::element(0x31, body),
                0x04 => {
                    let tag = body.to_vec();
                    return Ok(Self { attributes, tag });
                }
                _ => break,
            }
        }
        Err(Error::failed(
            Reason::CmsRead,
            "the message has no authentication tag",
        ))
    }
}

/// Reads a message up to what authenticates it, if it is of that kind.
fn authentication(stream: &mut dyn Stream, format: Format) -> Result<Option<Authentication>> {
    let reader = whole(stream, format)?;
    match reader.skeleton().kind {
        Kind::AuthEnveloped => {
            let skeleton = reader.finish().map_err(unreadable)?;
            Authentication::read(&skeleton.after).map(Some)
        }
        _ => Ok(None),
    }
}

/// Lets the content, or what stands in its place, pass through the message's cipher.
fn pass(
    mut chain: Chain,
    mut reader: Reader<Box<dyn Read + '_>>,
    beside: Option<&mut dyn Stream>,
    behind: Option<Authentication>,
    text: bool,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let Some(cipher) = chain.cipher() else {
        return Err(Error::failed(
            Reason::CmsDecrypt,
            "the message has no cipher",
        ));
    };
    let known = behind.is_some();
    if let Some(authentication) = &behind
        && !authentication.attributes.is_empty()
    {
        cipher
            .cipher_update(&authentication.attributes, None)
            .map_err(|stack| failed(&stack))?;
    }
    let mut strip = StripText::new(out, text, Reason::CmsDecrypt);
    let mut buffer = Vec::new();
    let content: &mut dyn Read = match beside {
        Some(content) => content,
        None if reader.skeleton().has_content => &mut reader,
        None => {
            return Err(Error::failed(
                Reason::CmsRead,
                "the message has no content: -content names it",
            ));
        }
    };
    pump(content, |bytes| {
        update(cipher, bytes, &mut buffer).map_err(|stack| failed(&stack))?;
        strip.take(&buffer)
    })?;
    let skeleton = reader.finish().map_err(unreadable)?;
    if skeleton.kind == Kind::AuthEnveloped {
        let authentication = Authentication::read(&skeleton.after)?;
        if !known && !authentication.attributes.is_empty() {
            return Err(Error::failed(
                Reason::CmsRead,
                "the message authenticates attributes that stand behind its content: it must come from a file",
            ));
        }
        set_tag(cipher, &authentication.tag)?;
    }
    last(cipher, &mut buffer).map_err(|stack| failed(&stack))?;
    strip.take(&buffer)?;
    strip.finish()?;
    Ok(skeleton)
}

/// Tells the cipher the tag that the content must have.
fn set_tag(cipher: &mut CipherCtxRef, tag: &[u8]) -> Result<()> {
    // A shorter tag would be a weaker promise than any sender makes.
    if !(12..=16).contains(&tag.len()) {
        return Err(Error::failed(
            Reason::CmsDecrypt,
            "the authentication tag has a length that isn't allowed",
        ));
    }
    cipher.set_tag(tag).map_err(|stack| failed(&stack))
}
