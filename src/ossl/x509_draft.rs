//! Certificates and revocation lists in the making: extensions added, looked at and taken away before they are signed.
//!
//! The openssl crate's builders do this step by step only, and can't take anything back.

use std::ffi::CString;

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_int;
use openssl::asn1::{Asn1ObjectRef, Asn1OctetStringRef, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::{
    X509, X509Crl, X509Extension, X509ExtensionRef, X509NameRef, X509Ref, X509Req,
};
use openssl_sys as sys;

use super::conf::Conf;
use super::error::{cvt, cvt_p, queue};
use super::x509v3::Context;
use crate::error::OpenSslEntry;
use crate::ffi::ossl;

/// The name of a section for OpenSSL. One with a null byte names no section.
fn section_name(section: &str) -> CString {
    CString::new(section).unwrap_or_default()
}

/// Adds the extensions of a section to a certificate; one that is there already is replaced (X509V3_EXT_add_nconf).
pub(crate) fn add_to_certificate(
    conf: &Conf,
    section: &str,
    parties: Context<'_>,
    certificate: &X509,
) -> Result<(), Vec<OpenSslEntry>> {
    let section = section_name(section);
    let done = parties.with(Some(conf), ossl::X509V3_CTX_REPLACE, |context| {
        let certificate = certificate.as_ptr();
        // SAFETY: all is live for the call; no reference into the certificate's extensions is.
        unsafe { ossl::X509V3_EXT_add_nconf(conf.as_ptr(), context, section.as_ptr(), certificate) }
    })?;
    cvt_entries(done)
}

/// Adds the extensions of a section to a revocation list (X509V3_EXT_CRL_add_nconf).
pub(crate) fn add_to_crl(
    conf: &Conf,
    section: &str,
    issuer: &X509Ref,
    crl: &X509Crl,
) -> Result<(), Vec<OpenSslEntry>> {
    let parties = Context {
        issuer: Some(issuer),
        crl: Some(crl),
        ..Context::default()
    };
    let section = section_name(section);
    let done = parties.with(Some(conf), 0, |context| {
        let crl = crl.as_ptr();
        // SAFETY: all is live for the call; no reference into the list's extensions is.
        unsafe { ossl::X509V3_EXT_CRL_add_nconf(conf.as_ptr(), context, section.as_ptr(), crl) }
    })?;
    cvt_entries(done)
}

/// One extension from its name and its text (X509V3_EXT_nconf).
pub(crate) fn extension(
    name: &str,
    value: &str,
    parties: Context<'_>,
) -> Result<X509Extension, Vec<OpenSslEntry>> {
    let (name, value) = (section_name(name), section_name(value));
    let made = parties.with(None, 0, |context| {
        let none = std::ptr::null_mut();
        // SAFETY: `context` is initialised, both texts end with a null byte.
        unsafe { sys::X509V3_EXT_nconf(none, context, name.as_ptr(), value.as_ptr()) }
    })?;
    if made.is_null() {
        return Err(queue());
    }
    // SAFETY: a new extension that belongs to the caller.
    Ok(unsafe { X509Extension::from_ptr(made) })
}

/// Checks a result of 1 for success, and takes the error queue otherwise.
fn cvt_entries(result: c_int) -> Result<(), Vec<OpenSslEntry>> {
    match result {
        1.. => Ok(()),
        _ => Err(queue()),
    }
}

/// Adds an extension to a certificate at the end (X509_add_ext).
pub(crate) fn append(certificate: &X509, extension: &X509ExtensionRef) -> Result<(), ErrorStack> {
    // SAFETY: both are live; the certificate gets a copy.
    cvt(unsafe { sys::X509_add_ext(certificate.as_ptr(), extension.as_ptr(), -1) })?;
    Ok(())
}

/// Adds an extension to a revocation list at the end (X509_CRL_add_ext).
pub(crate) fn append_to_crl(crl: &X509Crl, extension: &X509ExtensionRef) -> Result<(), ErrorStack> {
    // SAFETY: both are live; the list gets a copy.
    cvt(unsafe { ossl::X509_CRL_add_ext(crl.as_ptr(), extension.as_ptr(), -1) })?;
    Ok(())
}

/// Takes the extension at a place away from a certificate (X509_delete_ext).
pub(crate) fn remove(certificate: &X509, place: usize) {
    let Ok(place) = c_int::try_from(place) else {
        return;
    };
    // SAFETY: the certificate is live, and no reference to its extensions is.
    let removed = unsafe { sys::X509_delete_ext(certificate.as_ptr(), place) };
    if !removed.is_null() {
        // SAFETY: what was taken away belongs to the caller.
        unsafe { sys::X509_EXTENSION_free(removed) };
    }
}

/// Takes all extensions of a kind away from a revocation list (X509_CRL_get_ext_by_OBJ, X509_CRL_delete_ext).
pub(crate) fn remove_from_crl(crl: &X509Crl, kind: &Asn1ObjectRef) {
    loop {
        // SAFETY: both are live.
        let place = unsafe { ossl::X509_CRL_get_ext_by_OBJ(crl.as_ptr(), kind.as_ptr(), -1) };
        if place < 0 {
            return;
        }
        // SAFETY: the list is live, and no reference to its extensions is.
        let removed = unsafe { ossl::X509_CRL_delete_ext(crl.as_ptr(), place) };
        if removed.is_null() {
            return;
        }
        // SAFETY: what was taken away belongs to the caller.
        unsafe { sys::X509_EXTENSION_free(removed) };
    }
}

/// Sets a version of a certificate: 0 is version 1 (X509_set_version).
pub(crate) fn set_version(certificate: &X509, version: i32) -> Result<(), ErrorStack> {
    // SAFETY: the certificate is live.
    cvt(unsafe { sys::X509_set_version(certificate.as_ptr(), version.into()) })?;
    Ok(())
}

/// Sets the version of a revocation list: 1 is version 2 (X509_CRL_set_version).
pub(crate) fn set_crl_version(crl: &X509Crl, version: i32) -> Result<(), ErrorStack> {
    // SAFETY: the list is live.
    cvt(unsafe { ossl::X509_CRL_set_version(crl.as_ptr(), version.into()) })?;
    Ok(())
}

/// Where a certificate has an extension of this kind, if it has one (X509_get_ext_by_OBJ).
pub(crate) fn find(certificate: &X509, kind: &Asn1ObjectRef) -> Option<usize> {
    // SAFETY: both are live.
    let place = unsafe { sys::X509_get_ext_by_OBJ(certificate.as_ptr(), kind.as_ptr(), -1) };
    usize::try_from(place).ok()
}

/// The DER of the value of the extension at a place (X509_EXTENSION_get_data).
pub(crate) fn value_at(certificate: &X509, place: usize) -> Vec<u8> {
    let place = c_int::try_from(place).unwrap_or(c_int::MAX);
    // SAFETY: the certificate is live; a place that it doesn't have gives null.
    let extension = unsafe { sys::X509_get_ext(certificate.as_ptr(), place) };
    if extension.is_null() {
        return Vec::new();
    }
    // SAFETY: the extension is live as long as its certificate.
    let data = unsafe { sys::X509_EXTENSION_get_data(extension) };
    // SAFETY: the string is live as long as its extension, and copied before that ends.
    let data = unsafe { Asn1OctetStringRef::from_ptr(data) };
    data.as_slice().to_vec()
}

/// How many extensions a certificate has (X509_get_ext_count).
pub(crate) fn count(certificate: &X509) -> usize {
    // SAFETY: the certificate is live.
    let count = unsafe { sys::X509_get_ext_count(certificate.as_ptr()) };
    usize::try_from(count).unwrap_or_default()
}

/// Gives a new certificate the key of a request as it is encoded there (X509_PUBKEY_set0_param).
///
/// X509_set_pubkey encodes the key and reads it again, which takes as long as a signature. What this leaves out is the
/// key in its decoded form: who needs that from the certificate has to read the certificate from its DER.
pub(crate) fn copy_key(request: &X509Req, certificate: &X509) -> Result<(), ErrorStack> {
    // SAFETY: both are live, and nothing refers to the certificate's key, which it hasn't got yet.
    cvt(unsafe { ossl::tls_X509_copy_key(certificate.as_ptr(), request.as_ptr()) })?;
    Ok(())
}

/// Sets the subject of a certificate (X509_set_subject_name).
pub(crate) fn set_subject(certificate: &X509, name: &X509NameRef) -> Result<(), ErrorStack> {
    // SAFETY: both are live, and nothing refers to the present subject.
    cvt(unsafe { sys::X509_set_subject_name(certificate.as_ptr(), name.as_ptr()) })?;
    Ok(())
}

/// A revocation list without entries, not signed yet (X509_CRL_new, X509_CRL_set_issuer_name and others).
pub(crate) fn new_crl(
    issuer: &X509NameRef,
    this_update: &Asn1TimeRef,
    next_update: &Asn1TimeRef,
) -> Result<X509Crl, ErrorStack> {
    // SAFETY: has no precondition.
    let list = cvt_p(unsafe { sys::X509_CRL_new() })?;
    // SAFETY: a new list that belongs to nobody else.
    let list = unsafe { X509Crl::from_ptr(list) };
    // SAFETY: both are live.
    cvt(unsafe { sys::X509_CRL_set_issuer_name(list.as_ptr(), issuer.as_ptr()) })?;
    // SAFETY: both are live.
    cvt(unsafe { sys::X509_CRL_set1_lastUpdate(list.as_ptr(), this_update.as_ptr()) })?;
    // SAFETY: both are live.
    cvt(unsafe { sys::X509_CRL_set1_nextUpdate(list.as_ptr(), next_update.as_ptr()) })?;
    Ok(list)
}
