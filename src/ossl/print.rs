//! Text that OpenSSL prints: names, certificates, requests, revocation lists and extensions.

use foreign_types::ForeignTypeRef;
use libc::{c_char, c_int, c_ulong};
use openssl::error::ErrorStack;
use openssl::x509::{X509ExtensionRef, X509NameRef, X509Ref, X509ReqRef};
use openssl_sys as sys;

use super::error::{cvt_p, queue};
use crate::ffi;
use crate::ffi::ossl;

/// A memory BIO that is written to.
struct MemoryBio(*mut sys::BIO);

impl MemoryBio {
    /// An empty one.
    fn new() -> Result<Self, ErrorStack> {
        // SAFETY: returns a static method table, and has no precondition.
        let method = unsafe { sys::BIO_s_mem() };
        // SAFETY: `method` is a valid method table.
        cvt_p(unsafe { sys::BIO_new(method) }).map(Self)
    }

    /// What was written to it.
    fn written(&self) -> Vec<u8> {
        let mut start: *mut c_char = std::ptr::null_mut();
        // SAFETY: `self.0` is a live memory BIO, `start` is a place for a pointer.
        let len = unsafe { sys::BIO_get_mem_data(self.0, &raw mut start) };
        // SAFETY: the BIO holds `len` bytes at `start` until it is written to or freed, and they are copied before.
        unsafe { ffi::bytes(start.cast(), usize::try_from(len).unwrap_or(0)) }.to_vec()
    }
}

impl Drop for MemoryBio {
    fn drop(&mut self) {
        // SAFETY: `self.0` came from BIO_new and is freed only here.
        unsafe { sys::BIO_free_all(self.0) };
    }
}

/// Runs a printing function and takes what it printed; a failure has no more to say than that.
pub(super) fn printed(print: impl FnOnce(*mut sys::BIO) -> c_int) -> Option<Vec<u8>> {
    let bio = MemoryBio::new().ok()?;
    // The functions return 1 or the number of characters, -1 or 0 for failure; an empty name is 0 characters long.
    match print(bio.0) {
        0.. => Some(bio.written()),
        _ => {
            queue();
            None
        }
    }
}

/// A name as text, in the form that the `XN_FLAG_` and `ASN1_STRFLGS_` bits ask for (X509_NAME_print_ex).
pub(crate) fn name(name: &X509NameRef, indent: c_int, flags: c_ulong) -> Option<Vec<u8>> {
    printed(|bio| {
        // SAFETY: `bio` is a live BIO, and the name lives as long as its reference.
        unsafe { ossl::X509_NAME_print_ex(bio, name.as_ptr(), indent, flags) }
    })
}

/// A name as `/C=DE/O=x` with everything but printable ASCII as `\xHH` (X509_NAME_oneline).
pub(crate) fn name_oneline(name: &X509NameRef) -> Option<Vec<u8>> {
    // SAFETY: the name lives as long as its reference; without a buffer OpenSSL allocates one of the right size.
    let text = unsafe { ossl::X509_NAME_oneline(name.as_ptr(), std::ptr::null_mut(), 0) };
    if text.is_null() {
        queue();
        return None;
    }
    // SAFETY: OpenSSL ends what it returns with a null byte.
    let copy = unsafe { std::ffi::CStr::from_ptr(text) }
        .to_bytes()
        .to_vec();
    // SAFETY: `text` was allocated by OpenSSL for the caller and isn't used any more.
    unsafe { sys::OPENSSL_free(text.cast()) };
    Some(copy)
}

/// The words for what is shown of a certificate: each clears the bits of the second column and sets those of the third.
const PARTS: &[(&str, c_ulong, c_ulong)] = &[
    ("compatible", c_ulong::MAX, 0),
    // All but the heading, the version, the issuer and the key.
    ("ca_default", c_ulong::MAX, 0x93),
    ("no_header", 0, 1),
    ("no_version", 0, 1 << 1),
    ("no_serial", 0, 1 << 2),
    ("no_signame", 0, 1 << 3),
    ("no_issuer", 0, 1 << 4),
    ("no_validity", 0, 1 << 5),
    ("no_subject", 0, 1 << 6),
    ("no_pubkey", 0, 1 << 7),
    ("no_extensions", 0, 1 << 8),
    ("no_sigdump", 0, 1 << 9),
    ("no_aux", 0, 1 << 10),
    ("no_attributes", 0, 1 << 11),
    ("ext_default", 0xf << 16, 0),
    ("ext_error", 0xf << 16, 1 << 16),
    ("ext_parse", 0xf << 16, 2 << 16),
    ("ext_dump", 0xf << 16, 3 << 16),
];

/// What is left out of a certificate's text if there is no signature yet.
pub(crate) const UNSIGNED: c_ulong = 1 << 3 | 1 << 9;

/// What words such as `no_header,no_version` leave out of a certificate's text; else the word that is none.
pub(crate) fn certificate_form(words: &str) -> Result<c_ulong, String> {
    form(PARTS, words)
}

/// The bits that words clear and set, by a table of both; with - in front they clear them. Else the word that is none.
pub(crate) fn form(table: &[(&str, c_ulong, c_ulong)], words: &str) -> Result<c_ulong, String> {
    let mut bits = 0;
    for word in words.split(',').map(str::trim) {
        let (add, name) = match word.strip_prefix('-') {
            Some(name) => (false, name),
            None => (true, word.strip_prefix('+').unwrap_or(word)),
        };
        let known = table
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name));
        let (_, clear, set) = known.ok_or_else(|| word.to_owned())?;
        bits &= !clear;
        bits = if add { bits | set } else { bits & !set };
    }
    Ok(bits)
}

/// A certificate in full (X509_print_ex).
pub(crate) fn certificate(
    certificate: &X509Ref,
    name_flags: c_ulong,
    omit: c_ulong,
) -> Option<Vec<u8>> {
    printed(|bio| {
        // SAFETY: `bio` is a live BIO. Printing fills the certificate's extension cache under OpenSSL's own lock.
        let done = unsafe { ossl::X509_print_ex(bio, certificate.as_ptr(), name_flags, omit) };
        done - c_int::from(done == 0)
    })
}

/// The value of an extension as text; `None` if OpenSSL can't print it (X509V3_EXT_print).
pub(crate) fn extension(extension: &X509ExtensionRef) -> Option<Vec<u8>> {
    printed(|bio| {
        // SAFETY: `bio` is a live BIO, and the extension lives as long as its reference.
        let done = unsafe { ossl::X509V3_EXT_print(bio, extension.as_ptr(), 0, 0) };
        done - c_int::from(done == 0)
    })
}

/// A request in full (X509_REQ_print_ex).
pub(crate) fn request(request: &X509ReqRef, name_flags: c_ulong, omit: c_ulong) -> Option<Vec<u8>> {
    printed(|bio| {
        // SAFETY: `bio` is a live BIO, and the request lives as long as its reference.
        let done = unsafe { ossl::X509_REQ_print_ex(bio, request.as_ptr(), name_flags, omit) };
        done - c_int::from(done == 0)
    })
}
