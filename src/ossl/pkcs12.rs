//! PKCS#12 archives, opened with a password that is wiped afterwards.

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12Ref};
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl_sys as sys;

use super::error::cvt;
use super::secret::Secret;

/// What an archive holds. A password ends at its first zero byte, as OpenSSL sees it.
///
/// The openssl crate's own function leaves a copy of the password in memory.
#[doc(alias = "PKCS12_parse")]
pub(crate) fn parse(archive: &Pkcs12Ref, password: &Secret) -> Result<ParsedPkcs12_2, ErrorStack> {
    let mut text = Vec::with_capacity(password.len() + 1);
    text.extend_from_slice(password);
    text.push(0);
    let text = Secret::new(text);
    let mut key = std::ptr::null_mut();
    let mut certificate = std::ptr::null_mut();
    let mut others = std::ptr::null_mut();
    // SAFETY: the archive is alive, the password ends with a zero byte, and the out-parameters start as null and live
    // during the call.
    cvt(unsafe {
        sys::PKCS12_parse(
            archive.as_ptr(),
            text.as_ptr().cast(),
            &raw mut key,
            &raw mut certificate,
            &raw mut others,
        )
    })?;
    Ok(ParsedPkcs12_2 {
        // SAFETY: what isn't null is ours after success.
        pkey: (!key.is_null()).then(|| unsafe { PKey::from_ptr(key) }),
        // SAFETY: the same.
        cert: (!certificate.is_null()).then(|| unsafe { X509::from_ptr(certificate) }),
        // SAFETY: the same.
        ca: (!others.is_null()).then(|| unsafe { Stack::from_ptr(others) }),
    })
}
