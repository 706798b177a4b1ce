//! OSSL_STORE: things behind a URI, one after the other.

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};

use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};

use super::error::cvt_p;
use crate::ffi::ossl as ffi;

/// An open store.
pub(crate) struct Store(NonNull<ffi::OSSL_STORE_CTX>);

impl Drop for Store {
    #[doc(alias = "OSSL_STORE_close")]
    fn drop(&mut self) {
        // SAFETY: the store is open, and ours alone.
        unsafe { ffi::OSSL_STORE_close(self.0.as_ptr()) };
    }
}

/// What a store holds at one place.
pub(crate) enum Item {
    /// The URI of something further, e.g. a file in a folder.
    Name(CString),
    /// A certificate.
    Certificate(X509),
    /// A revocation list.
    Crl(X509Crl),
    /// A private key.
    Key(PKey<Private>),
    /// Anything else.
    Other,
}

impl Store {
    /// Opens a URI or a path. Nobody is asked for a password.
    #[doc(alias = "OSSL_STORE_open")]
    pub(crate) fn open(uri: &CStr) -> Result<Self, ErrorStack> {
        // SAFETY: has no precondition; the method is static.
        let silent = unsafe { ffi::UI_null() };
        // SAFETY: the URI is a C string, the user interface method is static and takes no data, and there is no
        // function for later processing.
        let store = unsafe {
            ffi::OSSL_STORE_open(uri.as_ptr(), silent, ptr::null_mut(), None, ptr::null_mut())
        };
        NonNull::new(store).map(Self).ok_or_else(ErrorStack::get)
    }
}

/// Ends at the first error: what comes after one must not be asked for.
impl Iterator for Store {
    type Item = Result<Item, ErrorStack>;

    #[doc(alias = "OSSL_STORE_load")]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the store is open.
        if unsafe { ffi::OSSL_STORE_eof(self.0.as_ptr()) } == 1 {
            return None;
        }
        // SAFETY: the store is open.
        let info = unsafe { ffi::OSSL_STORE_load(self.0.as_ptr()) };
        // Some versions leave errors in the queue although nothing went wrong.
        let stack = ErrorStack::get();
        if info.is_null() {
            // The end shows only now. Without it, what follows can't be read, and may never come to an end.
            // SAFETY: the store is open.
            let end = unsafe { ffi::OSSL_STORE_eof(self.0.as_ptr()) } == 1;
            return (!end).then_some(Err(stack));
        }
        // SAFETY: what was loaded is ours until it is freed below.
        let item = unsafe { read(info) };
        // SAFETY: the same, and nothing refers to it any more.
        unsafe { ffi::OSSL_STORE_INFO_free(info) };
        Some(item)
    }
}

/// Takes the content out of a loaded thing.
///
/// # Safety
///
/// `info` must be valid.
unsafe fn read(info: *mut ffi::OSSL_STORE_INFO) -> Result<Item, ErrorStack> {
    // SAFETY: the caller says that it is valid.
    let kind = unsafe { ffi::OSSL_STORE_INFO_get_type(info) };
    match kind {
        ffi::OSSL_STORE_INFO_NAME => {
            // SAFETY: the thing is a name, which is returned as a C string that it owns.
            let name = unsafe { ffi::OSSL_STORE_INFO_get0_NAME(info) };
            // SAFETY: the name lives as long as the thing, and is copied here.
            let name = unsafe { CStr::from_ptr(cvt_p(name.cast_mut())?) };
            Ok(Item::Name(name.to_owned()))
        }
        ffi::OSSL_STORE_INFO_CERT => {
            // SAFETY: the thing is a certificate; a new reference is returned.
            let certificate = cvt_p(unsafe { ffi::OSSL_STORE_INFO_get1_CERT(info) })?;
            // SAFETY: the reference was counted for us.
            Ok(Item::Certificate(unsafe { X509::from_ptr(certificate) }))
        }
        ffi::OSSL_STORE_INFO_CRL => {
            // SAFETY: the thing is a revocation list; a new reference is returned.
            let crl = cvt_p(unsafe { ffi::OSSL_STORE_INFO_get1_CRL(info) })?;
            // SAFETY: the reference was counted for us.
            Ok(Item::Crl(unsafe { X509Crl::from_ptr(crl) }))
        }
        ffi::OSSL_STORE_INFO_PKEY => {
            // SAFETY: the thing is a private key; a new reference is returned.
            let key = cvt_p(unsafe { ffi::OSSL_STORE_INFO_get1_PKEY(info) })?;
            // SAFETY: the reference was counted for us.
            Ok(Item::Key(unsafe { PKey::from_ptr(key) }))
        }
        _ => Ok(Item::Other),
    }
}

/// The path in a `file:` URI, as OpenSSL reads it.
pub(crate) fn file_path(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("file:")?;
    let path = rest
        .strip_prefix("//localhost")
        .or_else(|| rest.strip_prefix("//"))
        .unwrap_or(rest);
    path.starts_with('/').then_some(path).or(Some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_file_uri_is_found() {
        for (uri, path) in [
            ("file:/a/b", Some("/a/b")),
            ("file:///a/b", Some("/a/b")),
            ("file://localhost/a/b", Some("/a/b")),
            ("file:a", Some("a")),
            ("pkcs11:a", None),
            ("/a", None),
        ] {
            assert_eq!(file_path(uri), path, "{uri}");
        }
    }
}
