//! Certificate stores: sharing one among contexts, revocation lists, stores behind a URI.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr;

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_int;
use openssl::error::ErrorStack;
use openssl::x509::store::{X509Store, X509StoreBuilderRef, X509StoreRef};
use openssl::x509::{X509, X509Crl};
use openssl_sys as sys;

use super::error::{cvt, cvt_p};
use crate::ffi::ossl as ffi;

/// Another handle of the same store.
#[doc(alias = "X509_STORE_up_ref")]
pub(crate) fn share(store: &X509StoreRef) -> Result<X509Store, ErrorStack> {
    let pointer = store.as_ptr();
    // SAFETY: the reference keeps the store alive during the call.
    cvt(unsafe { ffi::X509_STORE_up_ref(pointer) })?;
    // SAFETY: the reference that was just counted is handed over to the new owner.
    Ok(unsafe { X509Store::from_ptr(pointer) })
}

/// Adds a revocation list.
#[doc(alias = "X509_STORE_add_crl")]
pub(crate) fn add_crl(store: &mut X509StoreBuilderRef, crl: &X509Crl) -> Result<(), ErrorStack> {
    // SAFETY: both objects are alive during the call, and the store counts its own reference to the list.
    cvt(unsafe { ffi::X509_STORE_add_crl(store.as_ptr(), crl.as_ptr()) })?;
    Ok(())
}

/// Lets the store look for certificates behind a URI whenever it needs one.
#[doc(alias = "X509_STORE_load_store")]
pub(crate) fn load_store(store: &mut X509StoreBuilderRef, uri: &CString) -> Result<(), ErrorStack> {
    // SAFETY: the store is alive during the call, and the URI is a C string that OpenSSL copies.
    cvt(unsafe { ffi::X509_STORE_load_store(store.as_ptr(), uri.as_ptr()) })?;
    Ok(())
}

/// The certificate in a PEM block of any of its kinds. A `TRUSTED CERTIFICATE` keeps what it says about the purposes
/// that it is trusted for, or isn't.
#[doc(alias = "PEM_read_bio_X509_AUX")]
pub(crate) fn read_certificate(block: &[u8]) -> Result<X509, ErrorStack> {
    let bio = MemBio::new(block)?;
    // SAFETY: the BIO is alive during the call, and a certificate asks for no password.
    let certificate =
        unsafe { ffi::PEM_read_bio_X509_AUX(bio.0, ptr::null_mut(), None, ptr::null_mut()) };
    let certificate = cvt_p(certificate)?;
    // SAFETY: the certificate was just made for us.
    Ok(unsafe { X509::from_ptr(certificate) })
}

/// A BIO that reads from bytes which it doesn't outlive.
struct MemBio<'a>(*mut sys::BIO, PhantomData<&'a [u8]>);

impl<'a> MemBio<'a> {
    /// Reads from these bytes.
    fn new(bytes: &'a [u8]) -> Result<Self, ErrorStack> {
        let len = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        // SAFETY: `len` bytes can be read, and the lifetime keeps them there as long as the BIO.
        let bio = cvt_p(unsafe { sys::BIO_new_mem_buf(bytes.as_ptr().cast(), len) })?;
        Ok(Self(bio, PhantomData))
    }
}

impl Drop for MemBio<'_> {
    fn drop(&mut self) {
        // SAFETY: the BIO is ours alone.
        unsafe { sys::BIO_free_all(self.0) };
    }
}

/// Where OpenSSL looks for the system's certificates if the environment says nothing else.
pub(crate) struct DefaultPlaces {
    /// The file with all of them.
    pub(crate) file: String,
    /// The folder, or list of folders, where they are named by hash.
    pub(crate) folder: String,
}

/// The places that were built into the library.
#[doc(alias = "X509_get_default_cert_file")]
#[doc(alias = "X509_get_default_cert_dir")]
pub(crate) fn default_places() -> DefaultPlaces {
    // SAFETY: returns a static C string.
    let file = unsafe { sys::X509_get_default_cert_file() };
    // SAFETY: returns a static C string.
    let folder = unsafe { sys::X509_get_default_cert_dir() };
    // SAFETY: the string is static.
    let file = unsafe { CStr::from_ptr(file) };
    // SAFETY: the string is static.
    let folder = unsafe { CStr::from_ptr(folder) };
    DefaultPlaces {
        file: file.to_string_lossy().into_owned(),
        folder: folder.to_string_lossy().into_owned(),
    }
}
