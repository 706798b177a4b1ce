//! Cryptographic messages: `CMS_ContentInfo`, its signers, recipients and the chain that its content passes through.
//!
//! The content itself never goes through here: messages are handled without it, and the caller feeds it to a
//! [`Chain`] or to the cipher context that a chain holds.

mod chain;
mod flags;
mod properties;
mod receipt;
mod recipient;
mod sealed;
mod signed;
mod signer;

use std::ffi::CString;
use std::ptr::{self, NonNull};

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::c_long;
use openssl::asn1::{Asn1IntegerRef, Asn1Object, Asn1OctetStringRef};
use openssl::cipher::CipherRef;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::{X509, X509Crl, X509NameRef, X509Ref};
use openssl_sys::OPENSSL_STACK;

use super::bio::MemBio;
use super::error::{cvt, cvt_p, stack as queued};
use crate::ffi::ossl as raw;

pub(crate) use chain::Chain;
pub(crate) use flags::Flags;
pub(crate) use properties::Properties;
pub(crate) use receipt::{ReceiptRequest, ReceiptsFrom};
pub(crate) use recipient::{RecipientInfo, RecipientKind, transported_key};
pub(crate) use signer::SignerInfo;

/// Whether a cipher authenticates what it encrypts. `EVP_CIPHER_get_flags`
pub(crate) fn authenticates(cipher: &CipherRef) -> bool {
    /// `EVP_CIPH_FLAG_AEAD_CIPHER`
    const AUTHENTICATES: u64 = 0x20_0000;
    // SAFETY: the cipher is valid.
    unsafe { raw::EVP_CIPHER_get_flags(cipher.as_ptr()) & AUTHENTICATES != 0 }
}

/// The null pointer for "none", the pointer otherwise.
fn maybe<T: ForeignTypeRef>(value: Option<&T>) -> *mut T::CType {
    value.map_or(ptr::null_mut(), ForeignTypeRef::as_ptr)
}

/// The elements of a stack that OpenSSL keeps.
fn stack_elements<S, T>(stack: *mut S) -> Vec<NonNull<T>> {
    let stack = stack.cast::<OPENSSL_STACK>();
    // SAFETY: every typed stack is an `OPENSSL_STACK`, and a null pointer has -1 elements.
    let count = unsafe { openssl_sys::OPENSSL_sk_num(stack) };
    (0..count)
        .filter_map(|index| {
            // SAFETY: the index is within the stack.
            let element = unsafe { openssl_sys::OPENSSL_sk_value(stack, index) };
            NonNull::new(element.cast())
        })
        .collect()
}

/// A message, or what stands around its content. `CMS_ContentInfo`
#[derive(Debug)]
pub(crate) struct ContentInfo(NonNull<raw::CMS_ContentInfo>);

impl Drop for ContentInfo {
    fn drop(&mut self) {
        // SAFETY: the message is ours.
        unsafe { raw::CMS_ContentInfo_free(self.as_ptr()) };
    }
}

impl ContentInfo {
    /// Takes a pointer that a function has returned with its ownership.
    fn owned(pointer: *mut raw::CMS_ContentInfo) -> Result<Self, ErrorStack> {
        NonNull::new(pointer).map(Self).ok_or_else(queued)
    }

    /// The raw pointer, valid as long as this value lives.
    const fn as_ptr(&self) -> *mut raw::CMS_ContentInfo {
        self.0.as_ptr()
    }

    /// A message that is going to be something. `CMS_ContentInfo_new_ex`
    fn new() -> Result<Self, ErrorStack> {
        // SAFETY: the text is null or ends with a null byte, and is copied.
        let pointer = properties::with(|properties| unsafe {
            raw::CMS_ContentInfo_new_ex(ptr::null_mut(), properties)
        });
        Self::owned(pointer)
    }

    /// Reads a message. `d2i_CMS_ContentInfo`
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, ErrorStack> {
        let mut start = der.as_ptr();
        let length = c_long::try_from(der.len()).unwrap_or(0);
        let blank = Self::new()?;
        let mut pointer = blank.as_ptr();
        std::mem::forget(blank);
        // SAFETY: `start` points to `length` readable bytes; the message that is given is filled, or freed with an error.
        Self::owned(unsafe { raw::d2i_CMS_ContentInfo(&raw mut pointer, &raw mut start, length) })
    }

    /// The message as it is. `i2d_CMS_ContentInfo`
    pub(crate) fn to_der(&self) -> Result<Vec<u8>, ErrorStack> {
        // SAFETY: the message is valid; without a buffer the length is told.
        let length = cvt(unsafe { raw::i2d_CMS_ContentInfo(self.as_ptr(), ptr::null_mut()) })?;
        let mut der = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut start = der.as_mut_ptr();
        // SAFETY: the buffer has the length that was just told.
        cvt(unsafe { raw::i2d_CMS_ContentInfo(self.as_ptr(), &raw mut start) })?;
        Ok(der)
    }

    /// Sets the type of what is inside. `CMS_set1_eContentType`
    pub(crate) fn set_inner_type(&self, object: &Asn1Object) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the object is copied.
        cvt(unsafe { raw::CMS_set1_eContentType(self.as_ptr(), object.as_ptr()) })?;
        Ok(())
    }

    /// The certificates inside. `CMS_get1_certs`
    pub(crate) fn certificates(&self) -> Result<Stack<X509>, ErrorStack> {
        // SAFETY: the message is valid.
        let stack = unsafe { raw::CMS_get1_certs(self.as_ptr()) };
        match stack.is_null() {
            true => Stack::new(),
            // SAFETY: the stack and its counted elements are the caller's.
            false => Ok(unsafe { Stack::from_ptr(stack) }),
        }
    }

    /// The revocation lists inside. `CMS_get1_crls`
    pub(crate) fn revocation_lists(&self) -> Result<Vec<X509Crl>, ErrorStack> {
        // SAFETY: the message is valid.
        let stack = unsafe { raw::CMS_get1_crls(self.as_ptr()) };
        let lists = stack_elements(stack)
            .into_iter()
            .map(|list: NonNull<openssl_sys::X509_CRL>| {
                // SAFETY: the list's count was raised for us, and the stack's own memory alone is freed below.
                unsafe { X509Crl::from_ptr(list.as_ptr()) }
            })
            .collect();
        // SAFETY: the stack is ours; its elements now belong to `lists`.
        unsafe { openssl_sys::OPENSSL_sk_free(stack.cast::<OPENSSL_STACK>()) };
        Ok(lists)
    }

    /// Puts a certificate into the message. `CMS_add1_cert`
    pub(crate) fn add_certificate(&self, certificate: &X509Ref) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the certificate is counted.
        cvt(unsafe { raw::CMS_add1_cert(self.as_ptr(), certificate.as_ptr()) })?;
        Ok(())
    }

    /// All fields, for people; names in the library's usual way unless flags for them are given.
    /// `CMS_ContentInfo_print_ctx`
    pub(crate) fn print(&self, name_flags: Option<u64>) -> Result<Vec<u8>, ErrorStack> {
        /// `ASN1_PCTX_FLAGS_SHOW_ABSENT`
        const SHOW_ABSENT: u64 = 1;
        let out = MemBio::new()?;
        let mut context = ptr::null_mut();
        if let Some(flags) = name_flags {
            // SAFETY: no precondition.
            context = cvt_p(unsafe { raw::ASN1_PCTX_new() })?;
            // SAFETY: the context was just made.
            unsafe { raw::ASN1_PCTX_set_flags(context, SHOW_ABSENT) };
            // SAFETY: the same.
            unsafe { raw::ASN1_PCTX_set_str_flags(context, flags) };
            // SAFETY: the same.
            unsafe { raw::ASN1_PCTX_set_nm_flags(context, flags) };
        }
        // SAFETY: message and output are valid, and the context is or is null.
        let result =
            unsafe { raw::CMS_ContentInfo_print_ctx(out.as_ptr(), self.as_ptr(), 0, context) };
        // SAFETY: the context is ours or null.
        unsafe { raw::ASN1_PCTX_free(context) };
        cvt(result)?;
        Ok(out.contents().to_vec())
    }
}

/// How a certificate is named in a message.
#[derive(Clone, Copy)]
pub(crate) enum CertificateId<'a> {
    /// By issuer and serial number.
    Issuer(&'a X509NameRef, &'a Asn1IntegerRef),
    /// By key identifier.
    KeyId(&'a Asn1OctetStringRef),
}

/// The way in which a certificate is named.
fn certificate_id<'a>(
    key_id: *mut openssl_sys::ASN1_OCTET_STRING,
    issuer: *mut openssl_sys::X509_NAME,
    serial: *mut openssl_sys::ASN1_INTEGER,
) -> Option<CertificateId<'a>> {
    if !key_id.is_null() {
        // SAFETY: the string is part of a message that outlives the result.
        return Some(CertificateId::KeyId(unsafe {
            Asn1OctetStringRef::from_ptr(key_id)
        }));
    }
    if issuer.is_null() || serial.is_null() {
        return None;
    }
    // SAFETY: the name is part of a message that outlives the result.
    let issuer = unsafe { X509NameRef::from_ptr(issuer) };
    // SAFETY: the number likewise.
    let serial = unsafe { Asn1IntegerRef::from_ptr(serial) };
    Some(CertificateId::Issuer(issuer, serial))
}

/// Sets a parameter of a key's operation. `EVP_PKEY_CTX_ctrl_str`
fn set_key_option(
    context: *mut openssl_sys::EVP_PKEY_CTX,
    name: &str,
    value: &str,
) -> Result<(), ErrorStack> {
    let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else {
        return Err(queued());
    };
    if context.is_null() {
        return Err(queued());
    }
    // SAFETY: the context is valid, and both texts are.
    cvt(unsafe { raw::EVP_PKEY_CTX_ctrl_str(context, name.as_ptr(), value.as_ptr()) })?;
    Ok(())
}
