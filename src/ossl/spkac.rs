//! Netscape's signed public key and challenge, the form in which browsers once asked for certificates.

use foreign_types::ForeignType;
use libc::c_int;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};

use super::error::{cvt, cvt_p};
use crate::ffi::ossl;

/// A signed public key and challenge, freed when dropped.
pub(crate) struct Spkac(*mut ossl::NETSCAPE_SPKI);

impl Spkac {
    /// Reads its text form, base 64 (NETSCAPE_SPKI_b64_decode).
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorStack> {
        let len = c_int::try_from(text.len()).map_err(|_| ErrorStack::get())?;
        // SAFETY: `text` has `len` bytes.
        let made = unsafe { ossl::NETSCAPE_SPKI_b64_decode(text.as_ptr().cast(), len) };
        cvt_p(made).map(Self)
    }

    /// The public key (NETSCAPE_SPKI_get_pubkey).
    pub(crate) fn key(&self) -> Result<PKey<Public>, ErrorStack> {
        // SAFETY: the structure is live; the key is the caller's own.
        let key = cvt_p(unsafe { ossl::NETSCAPE_SPKI_get_pubkey(self.0) })?;
        // SAFETY: a new reference to a key.
        Ok(unsafe { PKey::from_ptr(key) })
    }

    /// Whether the key has signed it (NETSCAPE_SPKI_verify).
    pub(crate) fn is_signed_by(&self, key: &PKey<Public>) -> bool {
        // SAFETY: both are live.
        let done = cvt(unsafe { ossl::NETSCAPE_SPKI_verify(self.0, key.as_ptr()) });
        done.is_ok()
    }
}

impl Drop for Spkac {
    fn drop(&mut self) {
        // SAFETY: it came from OpenSSL, and is freed only here.
        unsafe { ossl::NETSCAPE_SPKI_free(self.0) };
    }
}
