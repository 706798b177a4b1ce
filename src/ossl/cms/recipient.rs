//! Recipients in a message: `CMS_RecipientInfo`.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use foreign_types::ForeignTypeRef;
use openssl::asn1::Asn1OctetStringRef;
use openssl::cipher::CipherRef;
use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;

use super::{CertificateId, ContentInfo, certificate_id, set_key_option, stack_elements};
use crate::ffi::ossl as raw;
use crate::ossl::error::{clear, cvt, cvt_p};
use crate::ossl::secret::Secret;

/// The ways in which a recipient gets the content key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecipientKind {
    /// Encrypted with his public key.
    KeyTransport,
    /// Wrapped with a key that was agreed upon.
    KeyAgreement,
    /// Wrapped with a key that both sides have.
    SharedKey,
    /// Wrapped with a key made from a password.
    Password,
    /// Any other way.
    Other,
}

/// How a recipient gets the content key, in a message.
#[derive(Debug)]
pub(crate) struct RecipientInfo<'a>(*mut raw::CMS_RecipientInfo, PhantomData<&'a ContentInfo>);

impl<'a> RecipientInfo<'a> {
    /// Wraps a pointer into a message.
    pub(super) const fn new(pointer: *mut raw::CMS_RecipientInfo) -> Self {
        Self(pointer, PhantomData)
    }

    /// Sets a parameter of the key's encryption. `EVP_PKEY_CTX_ctrl_str`
    pub(crate) fn set_key_option(&self, name: &str, value: &str) -> Result<(), ErrorStack> {
        // SAFETY: the recipient is part of a valid message.
        set_key_option(
            unsafe { raw::CMS_RecipientInfo_get0_pkey_ctx(self.0) },
            name,
            value,
        )
    }

    /// Sets the cipher that wraps the content key. `CMS_RecipientInfo_kari_get0_ctx`
    pub(crate) fn set_wrap_cipher(&self, cipher: &CipherRef) -> Result<(), ErrorStack> {
        // SAFETY: the recipient is part of a valid message.
        let context = cvt_p(unsafe { raw::CMS_RecipientInfo_kari_get0_ctx(self.0) })?;
        // SAFETY: context and cipher are valid, and neither key nor vector are given yet.
        cvt(unsafe {
            openssl_sys::EVP_EncryptInit_ex(
                context,
                cipher.as_ptr(),
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
            )
        })?;
        Ok(())
    }

    /// The way in which the key comes. `CMS_RecipientInfo_type`
    pub(crate) fn kind(&self) -> RecipientKind {
        // SAFETY: the recipient is part of a valid message.
        match unsafe { raw::CMS_RecipientInfo_type(self.0) } {
            raw::CMS_RECIPINFO_TRANS => RecipientKind::KeyTransport,
            raw::CMS_RECIPINFO_AGREE => RecipientKind::KeyAgreement,
            raw::CMS_RECIPINFO_KEK => RecipientKind::SharedKey,
            raw::CMS_RECIPINFO_PASS => RecipientKind::Password,
            _ => RecipientKind::Other,
        }
    }

    /// The recipients' certificates, where they are named: one, or several that share a key agreement.
    /// `CMS_RecipientInfo_ktri_get0_signer_id`, `CMS_RecipientEncryptedKey_get0_id`
    pub(crate) fn ids(&self) -> Vec<CertificateId<'a>> {
        let mut key_id: *mut openssl_sys::ASN1_OCTET_STRING = ptr::null_mut();
        let mut issuer: *mut openssl_sys::X509_NAME = ptr::null_mut();
        let mut serial: *mut openssl_sys::ASN1_INTEGER = ptr::null_mut();
        match self.kind() {
            RecipientKind::KeyTransport => {
                // SAFETY: the recipient is part of a valid message, and of this kind.
                unsafe {
                    raw::CMS_RecipientInfo_ktri_get0_signer_id(
                        self.0,
                        &raw mut key_id,
                        &raw mut issuer,
                        &raw mut serial,
                    );
                }
                certificate_id(key_id, issuer, serial).into_iter().collect()
            }
            RecipientKind::KeyAgreement => {
                // SAFETY: the recipient is part of a valid message, and of this kind.
                let keys = unsafe { raw::CMS_RecipientInfo_kari_get0_reks(self.0) };
                stack_elements(keys)
                    .into_iter()
                    .filter_map(|key: NonNull<raw::CMS_RecipientEncryptedKey>| {
                        key_id = ptr::null_mut();
                        issuer = ptr::null_mut();
                        serial = ptr::null_mut();
                        // SAFETY: the key is part of a valid message; what isn't wanted is null.
                        unsafe {
                            raw::CMS_RecipientEncryptedKey_get0_id(
                                key.as_ptr(),
                                &raw mut key_id,
                                ptr::null_mut(),
                                ptr::null_mut(),
                                &raw mut issuer,
                                &raw mut serial,
                            );
                        }
                        certificate_id(key_id, issuer, serial)
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The name of the key that both sides have. `CMS_RecipientInfo_kekri_get0_id`
    pub(crate) fn shared_key_id(&self) -> Option<&'a Asn1OctetStringRef> {
        if self.kind() != RecipientKind::SharedKey {
            return None;
        }
        let mut id: *mut openssl_sys::ASN1_OCTET_STRING = ptr::null_mut();
        // SAFETY: the recipient is part of a valid message, and of this kind; what isn't wanted is null.
        unsafe {
            raw::CMS_RecipientInfo_kekri_get0_id(
                self.0,
                ptr::null_mut(),
                &raw mut id,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
        }
        // SAFETY: the string, if there is one, lives as long as the message.
        (!id.is_null()).then(|| unsafe { Asn1OctetStringRef::from_ptr(id) })
    }
}

/// The content key that was encrypted by RSA with the padding of PKCS #1 1.5; none if what comes out hasn't that
/// padding. From OpenSSL 3.2 on the library gives a made-up key then, unless it is told not to.
/// `EVP_PKEY_decrypt`
pub(crate) fn transported_key(key: &PKeyRef<Private>, encrypted: &[u8]) -> Option<Secret> {
    let open = || {
        let mut context = PkeyCtx::new(key)?;
        context.decrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1)?;
        // A library that doesn't know the parameter makes up no keys.
        if set_key_option(context.as_ptr(), "rsa_pkcs1_implicit_rejection", "0").is_err() {
            clear();
        }
        let mut content_key = vec![0; context.decrypt(encrypted, None)?];
        let length = context.decrypt(encrypted, Some(&mut content_key))?;
        let content_key = Secret::from(content_key);
        Ok::<_, ErrorStack>(Secret::from(content_key.get(..length).unwrap_or_default()))
    };
    let found = open().ok();
    clear();
    found
}
