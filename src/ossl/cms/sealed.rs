//! Messages that are encrypted, for recipients or with a key that both sides have.

use std::ptr::{self, NonNull};

use foreign_types::ForeignTypeRef;
use libc::c_void;
use openssl::cipher::CipherRef;
use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private};
use openssl::x509::X509Ref;

use super::{ContentInfo, Flags, RecipientInfo, maybe, properties, stack_elements};
use crate::ffi::ossl as raw;
use crate::ossl::error::{cvt, cvt_p};

impl ContentInfo {
    /// A message to be encrypted for recipients, with or without authentication as the cipher is.
    /// `CMS_EnvelopedData_create_ex`, `CMS_AuthEnvelopedData_create_ex`
    pub(crate) fn envelope(cipher: &CipherRef, authenticated: bool) -> Result<Self, ErrorStack> {
        let cipher = cipher.as_ptr().cast_const();
        let create = match authenticated {
            true => raw::CMS_AuthEnvelopedData_create_ex,
            false => raw::CMS_EnvelopedData_create_ex,
        };
        // SAFETY: the cipher is valid, the text is null or ends with a null byte.
        let pointer =
            properties::with(|properties| unsafe { create(cipher, ptr::null_mut(), properties) });
        Self::owned(pointer)
    }

    /// A message to be encrypted with a key of its own. `CMS_EncryptedData_set1_key`
    pub(crate) fn encrypted(cipher: &CipherRef, key: &[u8]) -> Result<Self, ErrorStack> {
        let message = Self::new()?;
        message.set_encrypted_key(Some(cipher), key)?;
        Ok(message)
    }

    /// Adds a recipient by certificate. `CMS_add1_recipient`
    pub(crate) fn add_recipient(
        &self,
        certificate: &X509Ref,
        originator: Option<(&X509Ref, &PKeyRef<Private>)>,
        flags: Flags,
    ) -> Result<RecipientInfo<'_>, ErrorStack> {
        let (originator, key) = match originator {
            Some((certificate, key)) => (certificate.as_ptr(), key.as_ptr()),
            None => (ptr::null_mut(), ptr::null_mut()),
        };
        // SAFETY: all are valid or null, and are counted, not taken.
        let recipient = cvt_p(unsafe {
            raw::CMS_add1_recipient(
                self.as_ptr(),
                certificate.as_ptr(),
                key,
                originator,
                flags.0,
            )
        })?;
        Ok(RecipientInfo::new(recipient))
    }

    /// Adds a recipient by a key that both sides have. `CMS_add0_recipient_key`
    pub(crate) fn add_recipient_key(&self, key: &[u8], id: &[u8]) -> Result<(), ErrorStack> {
        let key = Owned::new(key)?;
        let id = Owned::new(id)?;
        // SAFETY: key and identifier are memory of OpenSSL's, which the message owns on success.
        cvt_p(unsafe {
            raw::CMS_add0_recipient_key(
                self.as_ptr(),
                0,
                key.pointer,
                key.length,
                id.pointer,
                id.length,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        key.release();
        id.release();
        Ok(())
    }

    /// Adds a recipient by password. `CMS_add0_recipient_password`
    pub(crate) fn add_recipient_password(
        &self,
        password: &[u8],
        wrap: Option<&CipherRef>,
    ) -> Result<(), ErrorStack> {
        let password = Owned::new(password)?;
        let wrap = wrap.map_or(ptr::null(), |cipher| cipher.as_ptr().cast_const());
        let length = isize::try_from(password.length).unwrap_or(0);
        // SAFETY: the password is memory of OpenSSL's, which the message owns on success.
        cvt_p(unsafe {
            raw::CMS_add0_recipient_password(
                self.as_ptr(),
                -1,
                0,
                0,
                password.pointer,
                length,
                wrap,
            )
        })?;
        password.release();
        Ok(())
    }

    /// The recipients. `CMS_get0_RecipientInfos`
    pub(crate) fn recipients(&self) -> Vec<RecipientInfo<'_>> {
        // SAFETY: the message is valid; for a type without recipients the result is null.
        let stack = unsafe { raw::CMS_get0_RecipientInfos(self.as_ptr()) };
        stack_elements(stack)
            .into_iter()
            .map(|recipient: NonNull<raw::CMS_RecipientInfo>| {
                RecipientInfo::new(recipient.as_ptr())
            })
            .collect()
    }

    /// Tells how keys are going to be looked for: whether a certificate is known, and whether a failure shows.
    /// `CMS_decrypt`
    pub(crate) fn prepare_decryption(&self, flags: Flags) -> Result<(), ErrorStack> {
        // SAFETY: with nothing but the message and flags the function only stores the flags.
        cvt(unsafe {
            raw::CMS_decrypt(
                self.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                flags.0,
            )
        })?;
        Ok(())
    }

    /// Opens the content key with a private key. `CMS_decrypt_set1_pkey_and_peer`
    pub(crate) fn decrypt_with_key(
        &self,
        key: &PKeyRef<Private>,
        certificate: Option<&X509Ref>,
        originator: Option<&X509Ref>,
    ) -> Result<(), ErrorStack> {
        // SAFETY: all are valid or null, and are counted, not taken.
        cvt(unsafe {
            raw::CMS_decrypt_set1_pkey_and_peer(
                self.as_ptr(),
                key.as_ptr(),
                maybe(certificate),
                maybe(originator),
            )
        })?;
        Ok(())
    }

    /// Opens the content key with a key that both sides have. `CMS_decrypt_set1_key`
    pub(crate) fn decrypt_with_secret(
        &self,
        key: &[u8],
        id: Option<&[u8]>,
    ) -> Result<(), ErrorStack> {
        let key = Owned::new(key)?;
        let (id, length) = id.map_or((ptr::null(), 0), |id| (id.as_ptr(), id.len()));
        // SAFETY: the key is only read, and forgotten before the function returns.
        cvt(unsafe {
            raw::CMS_decrypt_set1_key(self.as_ptr(), key.pointer, key.length, id, length)
        })?;
        Ok(())
    }

    /// Opens the content key with a password. `CMS_decrypt_set1_password`
    pub(crate) fn decrypt_with_password(&self, password: &[u8]) -> Result<(), ErrorStack> {
        let password = Owned::new(password)?;
        let length = isize::try_from(password.length).unwrap_or(0);
        // SAFETY: the password is only read, and forgotten before the function returns.
        cvt(unsafe { raw::CMS_decrypt_set1_password(self.as_ptr(), password.pointer, length) })?;
        Ok(())
    }

    /// Sets the key of encrypted content. `CMS_EncryptedData_set1_key`
    pub(crate) fn set_encrypted_key(
        &self,
        cipher: Option<&CipherRef>,
        key: &[u8],
    ) -> Result<(), ErrorStack> {
        let cipher = cipher.map_or(ptr::null(), |cipher| cipher.as_ptr().cast_const());
        // SAFETY: all are valid or null; the key is copied.
        cvt(unsafe {
            raw::CMS_EncryptedData_set1_key(self.as_ptr(), cipher, key.as_ptr(), key.len())
        })?;
        Ok(())
    }
}

/// A copy of bytes in OpenSSL's memory, for functions that take ownership; freed unless it is given away.
struct Owned {
    /// The memory.
    pointer: *mut u8,
    /// Its length.
    length: usize,
}

impl Owned {
    /// Copies bytes. `CRYPTO_malloc`
    fn new(bytes: &[u8]) -> Result<Self, ErrorStack> {
        // SAFETY: a length of at least 1, and no file name to tell.
        let pointer =
            cvt_p(unsafe { openssl_sys::CRYPTO_malloc(bytes.len().max(1), c"cms".as_ptr(), 0) })?
                .cast::<u8>();
        // SAFETY: the memory was just made, for at least so many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, bytes.len()) };
        Ok(Self {
            pointer,
            length: bytes.len(),
        })
    }

    /// Gives the memory away.
    fn release(self) {
        std::mem::forget(self);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the memory is ours, came from `CRYPTO_malloc` and has this length.
        unsafe {
            raw::tls_clear_free(self.pointer.cast::<c_void>(), self.length);
        }
    }
}
