//! What OpenSSL knows about a certificate beyond what the openssl crate asks it for.

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::{c_int, c_long};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::x509::{X509, X509Ref};

use super::error::cvt_p;
use crate::ffi;
use crate::ffi::ossl;

/// The bits of [`extension_flags`] that have a name in this crate.
pub(crate) mod flag {
    /// Subject and issuer are the same.
    pub(crate) const SELF_ISSUED: u32 = 0x20;
    /// An extension is malformed, or there is twice the same.
    pub(crate) const INVALID: u32 = 0x80;
    /// It is a proxy certificate.
    pub(crate) const PROXY: u32 = 0x400;
}

/// A use that OpenSSL can check a certificate for.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    /// OpenSSL's number.
    pub(crate) id: c_int,
    /// Its name, e.g. `SSL client`.
    pub(crate) name: String,
}

/// All purposes that OpenSSL knows (X509_PURPOSE_get0).
pub(crate) fn purposes() -> Vec<Purpose> {
    // SAFETY: reads the number of entries of a table, and has no precondition.
    let count = unsafe { ossl::X509_PURPOSE_get_count() };
    (0..count)
        .filter_map(|index| {
            // SAFETY: an index that the table doesn't have gives null, and the entries stay where they are.
            let entry = unsafe { ossl::X509_PURPOSE_get0(index) };
            if entry.is_null() {
                return None;
            }
            // SAFETY: `entry` points to an entry of OpenSSL's table.
            let id = unsafe { ossl::X509_PURPOSE_get_id(entry) };
            // SAFETY: as above.
            let name = unsafe { ossl::X509_PURPOSE_get0_name(entry) };
            // SAFETY: an entry's name ends with a null byte and lives as long as the entry.
            let name = unsafe { std::ffi::CStr::from_ptr(name) };
            let name = name.to_string_lossy().into_owned();
            Some(Purpose { id, name })
        })
        .collect()
}

/// Whether a certificate may be used for a purpose, as a leaf or as an authority (X509_check_purpose).
///
/// The answer is OpenSSL's number: 1 is yes, 0 is no, more than 1 is yes with a doubt, -1 means it couldn't tell.
pub(crate) fn check_purpose(certificate: &X509Ref, purpose: c_int, authority: bool) -> c_int {
    // SAFETY: the certificate lives as long as its reference; its cache is filled under OpenSSL's own lock.
    unsafe { ossl::X509_check_purpose(certificate.as_ptr(), purpose, c_int::from(authority)) }
}

/// What OpenSSL found when it looked at the extensions, see [`flag`] (X509_get_extension_flags).
pub(crate) fn extension_flags(certificate: &X509Ref) -> u32 {
    // SAFETY: as in `check_purpose`.
    unsafe { openssl_sys::X509_get_extension_flags(certificate.as_ptr()) }
}

/// Whether the certificate is one of an authority, by whatever sign (X509_check_ca).
pub(crate) fn is_authority(certificate: &X509Ref) -> bool {
    // SAFETY: as in `check_purpose`.
    (unsafe { ossl::X509_check_ca(certificate.as_ptr()) }) > 0
}

/// The path length limit of a proxy certificate, -1 for none (X509_get_proxy_pathlen).
pub(crate) fn proxy_path_length(certificate: &X509Ref) -> c_long {
    // SAFETY: as in `check_purpose`.
    unsafe { ossl::X509_get_proxy_pathlen(certificate.as_ptr()) }
}

/// Whether the certificate's own key made its signature (X509_self_signed).
pub(crate) fn is_self_signed(certificate: &X509Ref) -> bool {
    // SAFETY: as in `check_purpose`.
    (unsafe { ossl::X509_self_signed(certificate.as_ptr(), 1) }) == 1
}

/// The digest that the signature was made over; `None` if the algorithm has none apart (X509_get_signature_info).
pub(crate) fn signing_digest(certificate: &X509Ref) -> Option<Nid> {
    let mut digest: c_int = 0;
    let null = std::ptr::null_mut();
    // SAFETY: as in `check_purpose`; `digest` is a place for an int, and what isn't wanted may be null.
    let known = unsafe {
        ossl::X509_get_signature_info(
            certificate.as_ptr(),
            &raw mut digest,
            null,
            null,
            null.cast(),
        )
    };
    let digest = Nid::from_raw(digest);
    (known == 1 && digest != Nid::UNDEF).then_some(digest)
}

/// The local key identifier that came with the certificate, from PKCS#12 or a trusted certificate (X509_keyid_get0).
pub(crate) fn key_id(certificate: &X509Ref) -> &[u8] {
    let mut len: c_int = 0;
    // SAFETY: the certificate lives as long as its reference, `len` is a place for an int.
    let start = unsafe { ossl::X509_keyid_get0(certificate.as_ptr(), &raw mut len) };
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: OpenSSL holds `len` bytes at `start` for as long as the certificate lives; null comes with length 0.
    unsafe { ffi::bytes(start.cast(), if start.is_null() { 0 } else { len }) }
}

/// Reads a certificate with the trust settings that stand behind it in a `TRUSTED CERTIFICATE` (d2i_X509_AUX).
pub(crate) fn trusted_from_der(der: &[u8]) -> Result<X509, ErrorStack> {
    let len = c_long::try_from(der.len()).map_err(|_| ErrorStack::get())?;
    let mut start = der.as_ptr();
    // SAFETY: `len` bytes can be read at `start`, which is a place of our own.
    let read = unsafe { ossl::d2i_X509_AUX(std::ptr::null_mut(), &raw mut start, len) };
    // SAFETY: a certificate that was just made belongs to the caller.
    cvt_p(read).map(|read| unsafe { X509::from_ptr(read) })
}
