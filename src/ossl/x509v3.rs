//! Extensions from configuration text, and the extensions of certificates that aren't signed yet.

use std::ffi::CString;
use std::mem::MaybeUninit;

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_int;
use openssl::asn1::{Asn1ObjectRef, Asn1OctetStringRef, Asn1TimeRef};
use openssl::conf::ConfRef;
use openssl::error::ErrorStack;
use openssl::pkey::{HasPrivate, PKeyRef};
use openssl::x509::{
    X509, X509Crl, X509CrlRef, X509Extension, X509ExtensionRef, X509NameRef, X509Ref, X509Req, X509ReqRef,
};
use openssl_sys as sys;

use super::error::{cvt, cvt_p};
use crate::ffi::ossl;

/// Whom the text of an extension may speak of.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parties<'a> {
    /// The configuration, for values that name a section.
    pub(crate) conf: Option<&'a ConfRef>,
    /// The issuer.
    pub(crate) issuer: Option<&'a X509Ref>,
    /// The certificate.
    pub(crate) subject: Option<&'a X509Ref>,
    /// The request it answers.
    pub(crate) request: Option<&'a X509ReqRef>,
    /// The revocation list.
    pub(crate) crl: Option<&'a X509CrlRef>,
}

impl Parties<'_> {
    /// Calls `work` with OpenSSL's form of this (X509V3_set_ctx, X509V3_set_nconf).
    fn with<T>(&self, flags: c_int, work: impl FnOnce(*mut sys::X509V3_CTX) -> T) -> T {
        let mut context = MaybeUninit::<sys::X509V3_CTX>::zeroed();
        let context = context.as_mut_ptr();
        // SAFETY: `context` is a place for the structure; the parties outlive it, and OpenSSL only reads them.
        unsafe {
            sys::X509V3_set_ctx(
                context,
                pointer(self.issuer),
                pointer(self.subject),
                pointer(self.request),
                pointer(self.crl),
                flags,
            );
        }
        if let Some(conf) = self.conf {
            // SAFETY: `context` is initialised, the configuration outlives it.
            unsafe { sys::X509V3_set_nconf(context, conf.as_ptr()) };
        }
        work(context)
    }
}

/// The pointer of a reference that may be missing.
fn pointer<T: ForeignTypeRef>(reference: Option<&T>) -> *mut T::CType {
    reference.map_or(std::ptr::null_mut(), ForeignTypeRef::as_ptr)
}

/// The name of a section for OpenSSL. One with a null byte names no section.
fn section_name(section: &str) -> CString {
    CString::new(section).unwrap_or_default()
}

/// Checks the syntax of a section of extensions (X509V3_EXT_add_nconf, X509V3_CTX_TEST).
pub(crate) fn check(conf: &ConfRef, section: &str) -> Result<(), ErrorStack> {
    let parties = Parties {
        conf: Some(conf),
        ..Parties::default()
    };
    let section = section_name(section);
    parties.with(ossl::X509V3_CTX_TEST, |context| {
        let none = std::ptr::null_mut();
        // SAFETY: all is live for the call; without a certificate nothing is added.
        cvt(unsafe { ossl::X509V3_EXT_add_nconf(conf.as_ptr(), context, section.as_ptr(), none) })
    })?;
    Ok(())
}

/// Adds the extensions of a section to a certificate; one that is there already is replaced (X509V3_EXT_add_nconf).
pub(crate) fn add_to_certificate(
    conf: &ConfRef,
    section: &str,
    parties: &Parties<'_>,
    certificate: &X509,
) -> Result<(), ErrorStack> {
    let section = section_name(section);
    parties.with(ossl::X509V3_CTX_REPLACE, |context| {
        let certificate = certificate.as_ptr();
        // SAFETY: all is live for the call; no reference into the certificate's extensions is.
        let done = unsafe {
            ossl::X509V3_EXT_add_nconf(conf.as_ptr(), context, section.as_ptr(), certificate)
        };
        cvt(done)
    })?;
    Ok(())
}

/// Adds the extensions of a section to a request (X509V3_EXT_REQ_add_nconf).
pub(crate) fn add_to_request(
    conf: &ConfRef,
    section: &str,
    request: &X509Req,
) -> Result<(), ErrorStack> {
    let parties = Parties {
        conf: Some(conf),
        request: Some(request),
        ..Parties::default()
    };
    let section = section_name(section);
    parties.with(0, |context| {
        let request = request.as_ptr();
        // SAFETY: all is live for the call; no reference into the request's extensions is.
        let done = unsafe {
            ossl::X509V3_EXT_REQ_add_nconf(conf.as_ptr(), context, section.as_ptr(), request)
        };
        cvt(done)
    })?;
    Ok(())
}

/// Adds the extensions of a section to a revocation list (X509V3_EXT_CRL_add_nconf).
pub(crate) fn add_to_crl(
    conf: &ConfRef,
    section: &str,
    issuer: &X509Ref,
    crl: &X509Crl,
) -> Result<(), ErrorStack> {
    let parties = Parties {
        conf: Some(conf),
        issuer: Some(issuer),
        crl: Some(crl),
        ..Parties::default()
    };
    let section = section_name(section);
    parties.with(0, |context| {
        let crl = crl.as_ptr();
        // SAFETY: all is live for the call; no reference into the list's extensions is.
        let done = unsafe {
            ossl::X509V3_EXT_CRL_add_nconf(conf.as_ptr(), context, section.as_ptr(), crl)
        };
        cvt(done)
    })?;
    Ok(())
}

/// One extension from its name and its text (X509V3_EXT_nconf); `key` is what the issuer signs with.
pub(crate) fn one<T: HasPrivate>(
    name: &str,
    value: &str,
    parties: &Parties<'_>,
    key: &PKeyRef<T>,
) -> Result<X509Extension, ErrorStack> {
    let (name, value) = (section_name(name), section_name(value));
    parties.with(0, |context| {
        // SAFETY: `context` is initialised, the key outlives it.
        cvt(unsafe { ossl::X509V3_set_issuer_pkey(context, key.as_ptr()) })?;
        let none = std::ptr::null_mut();
        // SAFETY: `context` is initialised, both texts end with a null byte.
        let made = unsafe { sys::X509V3_EXT_nconf(none, context, name.as_ptr(), value.as_ptr()) };
        // SAFETY: a new extension that belongs to the caller.
        cvt_p(made).map(|made| unsafe { X509Extension::from_ptr(made) })
    })
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
