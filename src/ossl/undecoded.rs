//! Certificates and requests read without decoding their public keys; and public keys made of their parts.
//!
//! OpenSSL decodes the key in whatever it reads, and before 3.2 it looks for a decoder anew each time, which takes half
//! as long as an RSA signature. What is read here is read in a library context that has no decoders. It can be looked
//! at, verified with a given key, and written again like any other; only its own key isn't there (`public_key` fails),
//! nor is what OpenSSL computes of that key.

use std::ffi::CStr;
use std::sync::OnceLock;

use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::lib_ctx::LibCtx;
use openssl::pkey::{PKey, Params, Public};
use openssl::provider::Provider;
use openssl::x509::{X509, X509Req};

use super::error::cvt_p;
use crate::ffi::ossl;

/// A library context without any algorithms, made when it is first needed.
///
/// OpenSSL locks what threads share of it. It lives as long as the process, since what was read refers to it.
fn empty() -> Result<&'static LibCtx, ErrorStack> {
    static EMPTY: OnceLock<Result<LibCtx, ErrorStack>> = OnceLock::new();
    let made = EMPTY.get_or_init(|| {
        let context = LibCtx::new()?;
        // Without any provider the context would load the default one.
        std::mem::forget(Provider::load(Some(&context), "null")?);
        Ok(context)
    });
    made.as_ref().map_err(ErrorStack::clone)
}

/// Reads a certificate from its DER.
pub(crate) fn certificate(der: &[u8]) -> Result<X509, ErrorStack> {
    let context = empty()?.as_ptr();
    // SAFETY: the context is live, `der` is readable for its length.
    let read = cvt_p(unsafe { ossl::tls_d2i_X509_in(context, der.as_ptr(), der.len()) })?;
    // SAFETY: a new certificate that belongs to the caller.
    Ok(unsafe { X509::from_ptr(read) })
}

/// Reads a request from its DER.
pub(crate) fn request(der: &[u8]) -> Result<X509Req, ErrorStack> {
    let context = empty()?.as_ptr();
    // SAFETY: the context is live, `der` is readable for its length.
    let read = cvt_p(unsafe { ossl::tls_d2i_X509_REQ_in(context, der.as_ptr(), der.len()) })?;
    // SAFETY: a new request that belongs to the caller.
    Ok(unsafe { X509Req::from_ptr(read) })
}

/// A curve, whose numbers OpenSSL works out once.
pub(crate) struct Curve {
    /// Its name.
    name: &'static CStr,
    /// A key of that curve without a point, which is never changed.
    key: OnceLock<Result<PKey<Params>, ErrorStack>>,
}

/// The curve of 256 bits.
pub(crate) static P256: Curve = Curve::named(c"P-256");

/// The curve of 384 bits.
pub(crate) static P384: Curve = Curve::named(c"P-384");

/// The curve of 521 bits.
pub(crate) static P521: Curve = Curve::named(c"P-521");

impl Curve {
    /// The curve of this name.
    const fn named(name: &'static CStr) -> Self {
        let key = OnceLock::new();
        Self { name, key }
    }

    /// The public key at a point (EVP_PKEY_dup, EVP_PKEY_set1_encoded_public_key).
    pub(crate) fn key(&self, point: &[u8]) -> Result<PKey<Public>, ErrorStack> {
        let curve = self.key.get_or_init(|| {
            // SAFETY: the name ends with a null byte.
            let key = cvt_p(unsafe { ossl::tls_ec_curve(self.name.as_ptr()) })?;
            // SAFETY: a new key that belongs to the caller.
            Ok(unsafe { PKey::from_ptr(key) })
        });
        let curve = curve.as_ref().map_err(ErrorStack::clone)?.as_ptr();
        // SAFETY: the curve is live and only read, the point is readable for its length.
        let key = cvt_p(unsafe { ossl::tls_ec_key(curve, point.as_ptr(), point.len()) })?;
        // SAFETY: a new key that belongs to the caller.
        Ok(unsafe { PKey::from_ptr(key) })
    }
}

/// The public key of a modulus and an exponent (EVP_PKEY_fromdata).
pub(crate) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let (size, length) = (modulus.len(), exponent.len());
    // SAFETY: both are readable for their lengths.
    let key = unsafe { ossl::tls_rsa_key(modulus.as_ptr(), size, exponent.as_ptr(), length) };
    // SAFETY: a new key that belongs to the caller.
    Ok(unsafe { PKey::from_ptr(cvt_p(key)?) })
}
