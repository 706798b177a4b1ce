//! Extensions from the words of a configuration, and as text.

use std::ffi::CString;
use std::{mem, ptr};

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_int;
use openssl::pkey::{PKeyRef, Private};
use openssl::stack::Stack;
use openssl::x509::{X509CrlRef, X509Extension, X509Ref, X509ReqRef};
use openssl_sys as sys;

use super::conf::Conf;
use super::error::queue;
use crate::error::OpenSslEntry;
use crate::ffi::ossl;

/// What the words of an extension may refer to: `hash`, `keyid`, `issuer`, `email:copy` and their like.
#[derive(Clone, Copy, Default)]
pub(crate) struct Context<'a> {
    /// The certificate of who signs.
    pub(crate) issuer: Option<&'a X509Ref>,
    /// The certificate that is made, as far as it is made: with names and key.
    pub(crate) subject: Option<&'a X509Ref>,
    /// The request that asked for it.
    pub(crate) request: Option<&'a X509ReqRef>,
    /// The revocation list that is made.
    pub(crate) crl: Option<&'a X509CrlRef>,
    /// The key that signs, for a certificate that signs itself.
    pub(crate) issuer_key: Option<&'a PKeyRef<Private>>,
}

impl Context<'_> {
    /// Calls `work` with OpenSSL's form of this (X509V3_set_ctx, X509V3_set_issuer_pkey, X509V3_set_nconf).
    pub(super) fn with<T>(
        self,
        conf: Option<&Conf>,
        flags: c_int,
        work: impl FnOnce(*mut sys::X509V3_CTX) -> T,
    ) -> Result<T, Vec<OpenSslEntry>> {
        // SAFETY: the structure holds pointers and ints alone, for which zero is a value.
        let mut raw: sys::X509V3_CTX = unsafe { mem::zeroed() };
        let certificate = |given: Option<&X509Ref>| given.map_or(ptr::null_mut(), X509Ref::as_ptr);
        let request = self.request.map_or(ptr::null_mut(), X509ReqRef::as_ptr);
        let crl = self.crl.map_or(ptr::null_mut(), X509CrlRef::as_ptr);
        let (issuer, subject) = (certificate(self.issuer), certificate(self.subject));
        // SAFETY: all are null or live as long as `self`, which outlives `raw`'s use.
        unsafe { ossl::X509V3_set_ctx(&raw mut raw, issuer, subject, request, crl, flags) };
        if let Some(key) = self.issuer_key {
            // SAFETY: as above.
            let set = unsafe { ossl::X509V3_set_issuer_pkey(&raw mut raw, key.as_ptr()) };
            if set != 1 {
                return Err(queue());
            }
        }
        if let Some(conf) = conf {
            // SAFETY: the configuration outlives `raw`'s use.
            unsafe { ossl::X509V3_set_nconf(&raw mut raw, conf.as_ptr()) };
        }
        Ok(work(&raw mut raw))
    }
}

/// Makes the extensions that a section describes, in its order (X509V3_EXT_add_nconf_sk).
pub(crate) fn from_section(
    conf: &Conf,
    section: &str,
    context: Context<'_>,
) -> Result<Stack<X509Extension>, Vec<OpenSslEntry>> {
    let section = CString::new(section).map_err(|_| queue())?;
    let made = Stack::<X509Extension>::new().map_err(|_| queue())?;
    let mut stack = made.as_ptr();
    let done = context.with(Some(conf), 0, |raw| {
        let (conf, section) = (conf.as_ptr(), section.as_ptr());
        // SAFETY: all are alive. The stack exists already, so that OpenSSL adds to it and leaves the pointer as it is;
        // what it added before a failure stays, and is freed with the stack.
        unsafe { ossl::X509V3_EXT_add_nconf_sk(conf, raw, section, &raw mut stack) }
    })?;
    match done {
        1 => Ok(made),
        _ => Err(queue()),
    }
}
