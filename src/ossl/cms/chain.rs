//! What a message's content passes through: digests, or a cipher.

use std::ptr::{self, NonNull};

use foreign_types::ForeignTypeRef;
use libc::{c_int, c_void};
use openssl::cipher_ctx::CipherCtxRef;
use openssl::error::ErrorStack;
use openssl_sys::BIO;

use super::ContentInfo;
use crate::ffi::ossl as raw;
use crate::ossl::error::{cvt, cvt_p, stack as queued};

impl ContentInfo {
    /// Makes the chain that the content passes through: digests, or a cipher; at its end everything is dropped.
    /// `CMS_dataInit`
    pub(crate) fn chain(&self) -> Result<Chain, ErrorStack> {
        // SAFETY: the method is a constant of the library.
        let method = unsafe { raw::BIO_s_null() };
        // SAFETY: the method is valid.
        let end = cvt_p(unsafe { openssl_sys::BIO_new(method) })?;
        // SAFETY: both are valid; on success the chain that is returned owns `end`.
        let chain = unsafe { raw::CMS_dataInit(self.as_ptr(), end) };
        match NonNull::new(chain) {
            Some(chain) => Ok(Chain(chain)),
            None => {
                let errors = queued();
                // SAFETY: on failure `end` is still ours.
                unsafe { openssl_sys::BIO_free_all(end) };
                Err(errors)
            }
        }
    }

    /// Finishes the message after its content has passed: signs, or stores the digest or tag. `CMS_dataFinal`
    pub(crate) fn finish(&self, chain: &Chain) -> Result<(), ErrorStack> {
        // SAFETY: both are valid, and the chain was made for this message or one with the same digests.
        cvt(unsafe { raw::CMS_dataFinal(self.as_ptr(), chain.0.as_ptr()) })?;
        Ok(())
    }
}

/// The filters that a content passes through.
#[derive(Debug)]
pub(crate) struct Chain(pub(super) NonNull<BIO>);

impl Chain {
    /// Lets content pass. `BIO_write`
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), ErrorStack> {
        for part in bytes.chunks(1 << 20) {
            let length = c_int::try_from(part.len()).unwrap_or(0);
            // SAFETY: the chain is valid, and `part` has `length` readable bytes.
            let written = unsafe {
                openssl_sys::BIO_write(self.0.as_ptr(), part.as_ptr().cast::<c_void>(), length)
            };
            if written != length {
                return Err(queued());
            }
        }
        Ok(())
    }

    /// The context of the cipher in the chain. `BIO_get_cipher_ctx`
    pub(crate) fn cipher(&mut self) -> Option<&mut CipherCtxRef> {
        /// `BIO_TYPE_CIPHER`
        const TYPE: c_int = 0x020a;
        /// `BIO_C_GET_CIPHER_CTX`
        const GET_CONTEXT: c_int = 129;
        // SAFETY: the chain is valid.
        let filter = unsafe { raw::BIO_find_type(self.0.as_ptr(), TYPE) };
        if filter.is_null() {
            return None;
        }
        let mut context: *mut openssl_sys::EVP_CIPHER_CTX = ptr::null_mut();
        let out: *mut *mut openssl_sys::EVP_CIPHER_CTX = &raw mut context;
        // SAFETY: the filter is a cipher's, and `out` can take the pointer that this command stores.
        unsafe { openssl_sys::BIO_ctrl(filter, GET_CONTEXT, 0, out.cast::<c_void>()) };
        // SAFETY: the context, if there is one, lives as long as the chain, which stays borrowed.
        (!context.is_null()).then(|| unsafe { CipherCtxRef::from_ptr_mut(context) })
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // SAFETY: the chain is ours.
        unsafe { openssl_sys::BIO_free_all(self.0.as_ptr()) };
    }
}
