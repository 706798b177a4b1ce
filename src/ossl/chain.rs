//! Checking a certificate's chain: what the openssl crate's store context lacks.

use std::ffi::{CStr, CString};

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_int;
use openssl::asn1::Asn1Object;
use openssl::error::ErrorStack;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::X509StoreRef;
use openssl::x509::verify::X509VerifyParamRef;
use openssl::x509::{X509, X509Crl, X509Ref, X509VerifyResult};

use super::error::{clear, cvt, cvt_p, stack as queued};
use crate::ffi::ossl as raw;

/// What a check found.
pub(crate) struct Checked {
    /// The first error, or that there was none.
    pub(crate) result: X509VerifyResult,
    /// How far from the certificate the error is.
    pub(crate) depth: c_int,
    /// The chain as far as it was built, the certificate first.
    pub(crate) chain: Stack<X509>,
}

/// A store context that is freed when it goes.
struct Context(*mut openssl_sys::X509_STORE_CTX);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours.
        unsafe { openssl_sys::X509_STORE_CTX_free(self.0) };
    }
}

/// A stack that borrows its revocation lists; the openssl crate has none of this type.
struct Lists(*mut openssl_sys::OPENSSL_STACK);

impl Lists {
    /// A stack of some lists, which must outlive it.
    fn new(lists: &[X509Crl]) -> Result<Self, ErrorStack> {
        // SAFETY: no precondition.
        let stack = Self(cvt_p(unsafe { openssl_sys::OPENSSL_sk_new_null() })?);
        for list in lists {
            // SAFETY: the stack is ours, and the pointer is only stored.
            cvt(unsafe { openssl_sys::OPENSSL_sk_push(stack.0, list.as_ptr().cast()) })?;
        }
        Ok(stack)
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        // SAFETY: the stack is ours; its elements aren't, and stay.
        unsafe { openssl_sys::OPENSSL_sk_free(self.0) };
    }
}

/// Checks a certificate's chain by the parameters of the store, and by named defaults where it has none.
/// `X509_verify_cert`
pub(crate) fn check(
    store: &X509StoreRef,
    certificate: &X509Ref,
    untrusted: &StackRef<X509>,
    lists: &[X509Crl],
    defaults: &CStr,
) -> Result<Checked, ErrorStack> {
    // SAFETY: no precondition.
    let context = Context(cvt_p(unsafe { openssl_sys::X509_STORE_CTX_new() })?);
    // SAFETY: all are valid and outlive the context.
    cvt(unsafe {
        openssl_sys::X509_STORE_CTX_init(
            context.0,
            store.as_ptr(),
            certificate.as_ptr(),
            untrusted.as_ptr(),
        )
    })?;
    // SAFETY: the context was initialised, and the name is a C string.
    cvt(unsafe { raw::X509_STORE_CTX_set_default(context.0, defaults.as_ptr()) })?;
    let lists = Lists::new(lists)?;
    // SAFETY: the context was initialised, and the lists outlive its use below.
    unsafe { raw::X509_STORE_CTX_set0_crls(context.0, lists.0.cast()) };
    // SAFETY: the context was initialised.
    let outcome = unsafe { openssl_sys::X509_verify_cert(context.0) };
    if outcome < 0 {
        return Err(queued());
    }
    clear();
    // SAFETY: the context was used.
    let code = unsafe { openssl_sys::X509_STORE_CTX_get_error(context.0) };
    // SAFETY: the code is one of the library's.
    let result = unsafe { X509VerifyResult::from_raw(code) };
    // SAFETY: the context was used.
    let depth = unsafe { openssl_sys::X509_STORE_CTX_get_error_depth(context.0) };
    // SAFETY: the context was used; the chain is a counted copy.
    let chain = unsafe { raw::X509_STORE_CTX_get1_chain(context.0) };
    let chain = match chain.is_null() {
        true => Stack::new()?,
        // SAFETY: the stack and its counted elements are the caller's.
        false => unsafe { Stack::from_ptr(chain) },
    };
    Ok(Checked {
        result,
        depth,
        chain,
    })
}

/// Takes over parameters that the library knows by name; false if it doesn't. `X509_VERIFY_PARAM_lookup`
pub(crate) fn inherit(parameters: &mut X509VerifyParamRef, name: &str) -> Result<bool, ErrorStack> {
    let Ok(name) = CString::new(name) else {
        return Ok(false);
    };
    // SAFETY: the name is a C string.
    let known = unsafe { raw::X509_VERIFY_PARAM_lookup(name.as_ptr()) };
    if known.is_null() {
        clear();
        return Ok(false);
    }
    // SAFETY: both are valid; what is taken over is copied.
    cvt(unsafe { raw::X509_VERIFY_PARAM_inherit(parameters.as_ptr(), known) })?;
    Ok(true)
}

/// Adds an acceptable policy. `X509_VERIFY_PARAM_add0_policy`
pub(crate) fn add_policy(
    parameters: &mut X509VerifyParamRef,
    policy: Asn1Object,
) -> Result<(), ErrorStack> {
    // SAFETY: both are valid; the parameters take the object over if the call succeeds.
    cvt(unsafe { raw::X509_VERIFY_PARAM_add0_policy(parameters.as_ptr(), policy.as_ptr()) })?;
    std::mem::forget(policy);
    Ok(())
}
