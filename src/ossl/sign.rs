//! Signing and checking with the parameters that `-sigopt` and `-vfyopt` give.

use std::ffi::{CStr, CString};

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_char;
use openssl::error::ErrorStack;
use openssl::md_ctx::MdCtx;
use openssl::pkey::{HasPrivate, HasPublic, PKeyRef};
use openssl::x509::{X509, X509Crl, X509Req};
use openssl_sys as sys;

use super::error::{cvt, cvt_p};
use crate::ffi::ossl;

/// The digest that a key brings with itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyDigest {
    /// It signs without a digest of its own, as Ed25519 does, or takes no other one.
    Fixed(Option<String>),
    /// It proposes one and takes others.
    Proposed(String),
    /// It says nothing.
    Unknown,
}

/// Which digest a key brings with itself (EVP_PKEY_get_default_digest_name).
pub(crate) fn key_digest<T>(key: &PKeyRef<T>) -> KeyDigest {
    let mut name = [0; 80];
    let start = name.as_mut_ptr();
    // SAFETY: the key is live, `name` has 80 bytes.
    let kind = unsafe { ossl::EVP_PKEY_get_default_digest_name(key.as_ptr(), start.cast(), 80) };
    let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    match kind {
        2 if name == "UNDEF" => KeyDigest::Fixed(None),
        2 => KeyDigest::Fixed(Some(name)),
        1 => KeyDigest::Proposed(name),
        _ => {
            // The queue may hold why; it is no failure here.
            ErrorStack::get();
            KeyDigest::Unknown
        }
    }
}

/// Why a signature can't be made.
#[derive(Debug)]
pub(crate) enum Refused {
    /// This parameter is refused.
    Option(String),
    /// OpenSSL's reasons.
    Stack(ErrorStack),
}

impl From<ErrorStack> for Refused {
    fn from(stack: ErrorStack) -> Self {
        Self::Stack(stack)
    }
}

/// How to sign.
pub(crate) struct Signer<'a, T> {
    /// With what.
    pub(crate) key: &'a PKeyRef<T>,
    /// By which digest; `None` where the key needs none.
    pub(crate) digest: Option<&'a str>,
    /// With which parameters, each `name:value`.
    pub(crate) options: &'a [String],
    /// Where OpenSSL is to look for the algorithms.
    pub(crate) properties: Option<&'a str>,
}

impl<T: HasPrivate> Signer<'_, T> {
    /// Signs a certificate (X509_sign_ctx).
    pub(crate) fn certificate(&self, certificate: &X509) -> Result<(), Refused> {
        let context = self.begin()?;
        // SAFETY: both are live, and nothing refers to the certificate's signature.
        cvt(unsafe { ossl::X509_sign_ctx(certificate.as_ptr(), context.as_ptr()) })?;
        Ok(())
    }

    /// Signs a request (X509_REQ_sign_ctx).
    pub(crate) fn request(&self, request: &X509Req) -> Result<(), Refused> {
        let context = self.begin()?;
        // SAFETY: both are live, and nothing refers to the request's signature.
        cvt(unsafe { ossl::X509_REQ_sign_ctx(request.as_ptr(), context.as_ptr()) })?;
        Ok(())
    }

    /// Signs a revocation list (X509_CRL_sign_ctx).
    pub(crate) fn crl(&self, crl: &X509Crl) -> Result<(), Refused> {
        let context = self.begin()?;
        // SAFETY: both are live, and nothing refers to the list's signature.
        cvt(unsafe { ossl::X509_CRL_sign_ctx(crl.as_ptr(), context.as_ptr()) })?;
        Ok(())
    }

    /// The DER of the signature's algorithm; `None` where the kind of key doesn't tell (EVP_PKEY_CTX_get_params).
    pub(crate) fn algorithm(&self) -> Result<Option<Vec<u8>>, Refused> {
        let context = self.begin()?;
        let mut room = [0; 256];
        // SAFETY: the context is live, and was begun, so that it has parameters.
        let parameters = unsafe { ossl::EVP_MD_CTX_get_pkey_ctx(context.as_ptr()) };
        // SAFETY: `parameters` lives as long as its context, and `room` has as many bytes as are told.
        let len = unsafe {
            ossl::tls_EVP_PKEY_CTX_algorithm_id(parameters.cast(), room.as_mut_ptr(), room.len())
        };
        ErrorStack::get();
        Ok(room
            .get(..len)
            .filter(|der| !der.is_empty())
            .map(<[u8]>::to_vec))
    }

    /// The signature of some bytes, given in parts.
    pub(crate) fn bytes(&self, parts: &[&[u8]]) -> Result<Vec<u8>, Refused> {
        let mut context = self.begin()?;
        let mut signature = Vec::new();
        if self.digest.is_none() {
            // Without a digest there is no signing piece by piece.
            context.digest_sign_to_vec(&parts.concat(), &mut signature)?;
        } else {
            parts
                .iter()
                .try_for_each(|part| context.digest_sign_update(part))?;
            context.digest_sign_final_to_vec(&mut signature)?;
        }
        Ok(signature)
    }

    /// Begins a signature (EVP_DigestSignInit_ex, EVP_PKEY_CTX_ctrl_str).
    fn begin(&self) -> Result<MdCtx, Refused> {
        let context = MdCtx::new()?;
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let digest = self.digest.map(text);
        let properties = self.properties.map(text);
        let pointer = |text: &Option<CString>| -> *const c_char {
            text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
        };
        let mut parameters = std::ptr::null_mut();
        // SAFETY: the context and the key are live, the texts end with a null byte, `parameters` is a place for a pointer.
        cvt(unsafe {
            ossl::EVP_DigestSignInit_ex(
                context.as_ptr(),
                &raw mut parameters,
                pointer(&digest),
                std::ptr::null_mut(),
                pointer(&properties),
                self.key.as_ptr(),
                std::ptr::null(),
            )
        })?;
        for option in self.options {
            let refused = || Refused::Option(option.clone());
            let (name, value) = option.split_once(':').ok_or_else(refused)?;
            let (name, value) = (text(name), text(value));
            // SAFETY: `parameters` belongs to the live context, the texts end with a null byte.
            let done =
                unsafe { ossl::EVP_PKEY_CTX_ctrl_str(parameters, name.as_ptr(), value.as_ptr()) };
            if done <= 0 {
                // The reasons say nothing that the option's name doesn't.
                ErrorStack::get();
                return Err(refused());
            }
        }
        Ok(context)
    }
}

/// Whether the signature of some DER is a key's (ASN1_item_verify); `algorithm` is DER as well.
pub(crate) fn verify<T: HasPublic>(
    algorithm: &[u8],
    data: &[u8],
    signature: &[u8],
    key: &PKeyRef<T>,
) -> bool {
    // SAFETY: each pointer comes with the length of its slice, and the key is live.
    let fits = unsafe {
        ossl::tls_verify(
            algorithm.as_ptr(),
            algorithm.len(),
            data.as_ptr(),
            data.len(),
            signature.as_ptr(),
            signature.len(),
            key.as_ptr().cast(),
        )
    };
    ErrorStack::get();
    fits == 1
}

/// Gives a request the identifier that SM2 signatures cover (X509_REQ_set0_distinguishing_id).
pub(crate) fn set_request_id(request: &X509Req, id: &[u8]) -> Result<(), ErrorStack> {
    let id = octets(id)?;
    // SAFETY: the request is live, and owns the string from now on.
    unsafe { ossl::X509_REQ_set0_distinguishing_id(request.as_ptr(), id) };
    Ok(())
}

/// The same for a certificate (X509_set0_distinguishing_id).
pub(crate) fn set_certificate_id(certificate: &X509, id: &[u8]) -> Result<(), ErrorStack> {
    let id = octets(id)?;
    // SAFETY: the certificate is live, and owns the string from now on.
    unsafe { ossl::X509_set0_distinguishing_id(certificate.as_ptr(), id) };
    Ok(())
}

/// A new string of bytes that somebody must take over.
fn octets(bytes: &[u8]) -> Result<*mut sys::ASN1_OCTET_STRING, ErrorStack> {
    let len = libc::c_int::try_from(bytes.len()).map_err(|_| ErrorStack::get())?;
    // SAFETY: 4 is the type of an octet string, and there is no other precondition.
    let string = cvt_p(unsafe { sys::ASN1_STRING_type_new(4) })?;
    // SAFETY: `string` is live, `bytes` has `len` bytes.
    cvt(unsafe { sys::ASN1_STRING_set(string, bytes.as_ptr().cast(), len) })?;
    Ok(string.cast())
}
