//! Encrypting: for recipients, or with a key that both sides have.

use std::io::Write;

use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtxRef;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::ber::{self, Kind};
use super::content::Content;
use super::output::Wrapping;
use super::sign::skeleton;
use super::{refused, unwritable};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::{ContentInfo, Flags, RecipientKind};
use crate::ossl::secret::Secret;

/// How long the tag of an authenticating cipher is.
const TAG: usize = 16;

/// Someone who is to read the message, by certificate.
pub(crate) struct Recipient {
    /// His certificate.
    pub(crate) certificate: X509,
    /// Parameters of the key's encryption: name and value.
    pub(crate) key_options: Vec<(String, String)>,
}

/// A key that both sides have, with its name.
pub(crate) struct SharedKey {
    /// The key.
    pub(crate) key: Secret,
    /// Its name.
    pub(crate) id: Vec<u8>,
}

/// How a content is encrypted for recipients.
pub(crate) struct Settings {
    /// The cipher for the content.
    pub(crate) cipher: Cipher,
    /// Whether it authenticates.
    pub(crate) authenticated: bool,
    /// The recipients by certificate, in order.
    pub(crate) recipients: Vec<Recipient>,
    /// The certificate and key with which keys are agreed upon; else new ones are made.
    pub(crate) originator: Option<(X509, PKey<Private>)>,
    /// The cipher that wraps the content key after an agreement.
    pub(crate) wrap: Option<Cipher>,
    /// A recipient by a key that both sides have.
    pub(crate) shared: Option<SharedKey>,
    /// A recipient by password.
    pub(crate) password: Option<Secret>,
    /// The cipher that wraps the content key for a password.
    pub(crate) password_wrap: Option<Cipher>,
    /// How certificates are named.
    pub(crate) flags: Flags,
}

/// The error for a message that can't be encrypted.
fn failed(stack: &openssl::error::ErrorStack) -> Error {
    refused(Reason::CmsCreate, "can't encrypt", stack)
}

/// Encrypts a content for recipients, and writes the message.
pub(crate) fn encrypt(
    content: Content<'_>,
    settings: &Settings,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let message = ContentInfo::envelope(&settings.cipher, settings.authenticated)
        .map_err(|stack| refused(Reason::CmsCreate, "can't encrypt with this cipher", &stack))?;
    let originator = settings
        .originator
        .as_ref()
        .map(|(certificate, key)| (&**certificate, &**key));
    for recipient in &settings.recipients {
        let flags = settings
            .flags
            .and_if(!recipient.key_options.is_empty(), Flags::KEY_PARAM);
        let info = message
            .add_recipient(&recipient.certificate, originator, flags)
            .map_err(|stack| refused(Reason::CmsCreate, "can't add the recipient", &stack))?;
        for (name, value) in &recipient.key_options {
            info.set_key_option(name, value).map_err(|stack| {
                let doing = format!("the key doesn't take \"{name}:{value}\"");
                refused(Reason::CmsCreate, &doing, &stack)
            })?;
        }
        if let (Some(wrap), RecipientKind::KeyAgreement) = (settings.wrap.as_deref(), info.kind()) {
            info.set_wrap_cipher(wrap).map_err(|stack| failed(&stack))?;
        }
    }
    if let Some(shared) = &settings.shared {
        message
            .add_recipient_key(&shared.key, &shared.id)
            .map_err(|stack| refused(Reason::CmsCreate, "can't use the secret key", &stack))?;
    }
    if let Some(password) = &settings.password {
        message
            .add_recipient_password(password, settings.password_wrap.as_deref())
            .map_err(|stack| refused(Reason::CmsCreate, "can't use the password", &stack))?;
    }
    write(&message, content, wrapping, indefinite, out)
}

/// Encrypts a content with a key that both sides have, and writes the message.
pub(crate) fn encrypt_with_key(
    content: Content<'_>,
    cipher: &CipherRef,
    key: &Secret,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let message = ContentInfo::encrypted(cipher, key).map_err(|stack| failed(&stack))?;
    write(&message, content, wrapping, indefinite, out)
}

/// Lets the content pass through the message's cipher, and writes the message.
fn write(
    message: &ContentInfo,
    mut content: Content<'_>,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let mut chain = message.chain().map_err(|stack| failed(&stack))?;
    let mut parts = skeleton(message)?;
    let is_authenticated = parts.kind == Kind::AuthEnveloped;
    if is_authenticated {
        // The tag is known only behind the content, but its length is.
        parts.after = ber::element(0x04, &[0; TAG]);
    }
    let length = match indefinite {
        true => None,
        false => content.length()?,
    };
    wrapping.message(
        out,
        &parts,
        length.map(|length| encrypted_length(&mut chain, length)),
        |out| {
            let Some(cipher) = chain.cipher() else {
                return Err(Error::failed(
                    Reason::CmsCreate,
                    "the message has no cipher",
                ));
            };
            let mut buffer = Vec::new();
            content.each(|bytes| {
                update(cipher, bytes, &mut buffer).map_err(|stack| failed(&stack))?;
                out.write_all(&buffer).map_err(unwritable)
            })?;
            last(cipher, &mut buffer).map_err(|stack| failed(&stack))?;
            out.write_all(&buffer).map_err(unwritable)?;
            if !is_authenticated {
                return Ok(None);
            }
            message.finish(&chain).map_err(|stack| failed(&stack))?;
            skeleton(message).map(Some)
        },
    )
}

/// How long a content is once it is encrypted.
fn encrypted_length(chain: &mut crate::ossl::cms::Chain, length: u64) -> u64 {
    let block = chain
        .cipher()
        .map_or(1, |cipher| cipher.block_size() as u64);
    match block {
        0 | 1 => length,
        block => (length / block + 1) * block,
    }
}

/// Passes bytes through a cipher.
pub(crate) fn update(
    cipher: &mut CipherCtxRef,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> std::result::Result<(), openssl::error::ErrorStack> {
    out.resize(bytes.len() + 64, 0);
    let size = cipher.cipher_update(bytes, Some(out))?;
    out.truncate(size);
    Ok(())
}

/// The last bytes of a cipher.
pub(crate) fn last(
    cipher: &mut CipherCtxRef,
    out: &mut Vec<u8>,
) -> std::result::Result<(), openssl::error::ErrorStack> {
    out.resize(64, 0);
    let size = cipher.cipher_final(out)?;
    out.truncate(size);
    Ok(())
}
