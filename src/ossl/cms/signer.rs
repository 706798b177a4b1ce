//! Signers in a message: `CMS_SignerInfo`.

use std::marker::PhantomData;
use std::ptr;

use foreign_types::ForeignTypeRef;
use libc::{c_int, c_void};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKeyRef, Private};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref};

use super::{
    CertificateId, Chain, ContentInfo, Flags, ReceiptRequest, certificate_id, maybe, set_key_option,
};
use crate::ffi;
use crate::ffi::ossl as raw;
use crate::ossl::error::{clear, cvt, cvt_p, stack as queued};

/// What a signer did, in a message.
#[derive(Debug)]
pub(crate) struct SignerInfo<'a> {
    /// The structure, which the message owns.
    pointer: *mut raw::CMS_SignerInfo,
    /// The message lives longer.
    message: PhantomData<&'a ContentInfo>,
}

impl<'a> SignerInfo<'a> {
    /// Wraps a pointer into a message.
    pub(super) const fn new(pointer: *mut raw::CMS_SignerInfo) -> Self {
        Self {
            pointer,
            message: PhantomData,
        }
    }

    /// Sets a parameter of the signature. `EVP_PKEY_CTX_ctrl_str`
    pub(crate) fn set_key_option(&self, name: &str, value: &str) -> Result<(), ErrorStack> {
        // SAFETY: the signer is part of a valid message.
        set_key_option(
            unsafe { raw::CMS_SignerInfo_get0_pkey_ctx(self.pointer) },
            name,
            value,
        )
    }

    /// Adds the ciphers that the signer can read, best first. `CMS_add_smimecap`
    pub(crate) fn add_capabilities(&self, ciphers: &[Nid]) -> Result<(), ErrorStack> {
        let ciphers: Vec<c_int> = ciphers.iter().map(Nid::as_raw).collect();
        // SAFETY: the signer is part of a valid message, and the list has the length that is told.
        cvt(unsafe {
            raw::tls_CMS_add_capabilities(self.pointer, ciphers.as_ptr(), ciphers.len())
        })?;
        Ok(())
    }

    /// Adds a request for a receipt. `CMS_add1_ReceiptRequest`
    pub(crate) fn add_receipt_request(&self, request: &ReceiptRequest) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the request is encoded, not taken.
        cvt(unsafe { raw::CMS_add1_ReceiptRequest(self.pointer, request.as_ptr()) })?;
        Ok(())
    }

    /// The request for a receipt, if the signer made one; a broken one is an error. `CMS_get1_ReceiptRequest`
    pub(crate) fn receipt_request(&self) -> Result<Option<ReceiptRequest>, ErrorStack> {
        let mut request: *mut raw::CMS_ReceiptRequest = ptr::null_mut();
        // SAFETY: the signer is part of a valid message, and `request` can take a pointer.
        match unsafe { raw::CMS_get1_ReceiptRequest(self.pointer, &raw mut request) } {
            1.. => Ok(ReceiptRequest::owned(request)),
            0 => {
                clear();
                Ok(None)
            }
            _ => Err(queued()),
        }
    }

    /// Makes a signed receipt for this signer's message. `CMS_sign_receipt`
    pub(crate) fn sign_receipt(
        &self,
        certificate: &X509Ref,
        key: &PKeyRef<Private>,
        certificates: Option<&StackRef<X509>>,
        flags: Flags,
    ) -> Result<ContentInfo, ErrorStack> {
        // SAFETY: all are valid or null; nothing is taken.
        ContentInfo::owned(unsafe {
            raw::CMS_sign_receipt(
                self.pointer,
                certificate.as_ptr(),
                key.as_ptr(),
                maybe(certificates),
                flags.0,
            )
        })
    }

    /// Adds the attribute that tells the content's digest. `CMS_signed_add1_attr_by_NID`
    pub(crate) fn add_digest(&self, digest: &[u8]) -> Result<(), ErrorStack> {
        /// `V_ASN1_OCTET_STRING`
        const OCTETS: c_int = 4;
        let length = c_int::try_from(digest.len()).unwrap_or(0);
        // SAFETY: the signer is part of a valid message, and the bytes, which are copied, have that length.
        cvt(unsafe {
            raw::CMS_signed_add1_attr_by_NID(
                self.pointer,
                Nid::PKCS9_MESSAGEDIGEST.as_raw(),
                OCTETS,
                digest.as_ptr().cast::<c_void>(),
                length,
            )
        })?;
        Ok(())
    }

    /// Takes a signed attribute away; whether it was there. The signature doesn't fit any more then.
    /// `CMS_signed_get_attr_by_NID`, `CMS_signed_delete_attr`
    pub(crate) fn remove_attribute(&self, kind: Nid) -> bool {
        // SAFETY: the signer is part of a valid message; -1 looks from the first attribute on.
        let place = unsafe { raw::CMS_signed_get_attr_by_NID(self.pointer, kind.as_raw(), -1) };
        if place < 0 {
            return false;
        }
        // SAFETY: the place was just told.
        let attribute = unsafe { raw::CMS_signed_delete_attr(self.pointer, place) };
        // SAFETY: the attribute is the caller's, or null.
        unsafe { raw::X509_ATTRIBUTE_free(attribute) };
        true
    }

    /// The signed attributes, each as encoded. `CMS_signed_get_attr`, `i2d_X509_ATTRIBUTE`
    pub(crate) fn attributes(&self) -> Result<Vec<Vec<u8>>, ErrorStack> {
        // SAFETY: the signer is part of a valid message.
        let count = unsafe { raw::CMS_signed_get_attr_count(self.pointer) };
        (0..count)
            .map(|place| {
                // SAFETY: the place is one of those that were counted.
                let attribute = cvt_p(unsafe { raw::CMS_signed_get_attr(self.pointer, place) })?;
                // SAFETY: the attribute is part of the message; without a buffer the length is told.
                let length =
                    cvt(unsafe { openssl_sys::i2d_X509_ATTRIBUTE(attribute, ptr::null_mut()) })?;
                let mut encoded = vec![0; usize::try_from(length).unwrap_or(0)];
                let mut start = encoded.as_mut_ptr();
                // SAFETY: the buffer has the length that was just told.
                cvt(unsafe { openssl_sys::i2d_X509_ATTRIBUTE(attribute, &raw mut start) })?;
                Ok(encoded)
            })
            .collect()
    }

    /// Sets the signature. `CMS_SignerInfo_get0_signature`, `ASN1_STRING_set`
    pub(crate) fn set_signature(&self, signature: &[u8]) -> Result<(), ErrorStack> {
        // SAFETY: the signer is part of a valid message.
        let string = cvt_p(unsafe { raw::CMS_SignerInfo_get0_signature(self.pointer) })?;
        let length = c_int::try_from(signature.len()).unwrap_or(0);
        // SAFETY: the string is part of the message, and the bytes, which are copied, have that length.
        cvt(unsafe {
            openssl_sys::ASN1_STRING_set(string.cast(), signature.as_ptr().cast::<c_void>(), length)
        })?;
        Ok(())
    }

    /// Signs the attributes. `CMS_SignerInfo_sign`
    pub(crate) fn sign(&self) -> Result<(), ErrorStack> {
        // SAFETY: the signer is part of a valid message.
        cvt(unsafe { raw::CMS_SignerInfo_sign(self.pointer) })?;
        Ok(())
    }

    /// Whether there are signed attributes. `CMS_signed_get_attr_count`
    pub(crate) fn has_attributes(&self) -> bool {
        // SAFETY: the signer is part of a valid message.
        unsafe { raw::CMS_signed_get_attr_count(self.pointer) >= 0 }
    }

    /// Checks the signature over the attributes. `CMS_SignerInfo_verify`
    pub(crate) fn verify(&self) -> Result<(), ErrorStack> {
        // SAFETY: the signer is part of a valid message; without a certificate it is an error.
        cvt(unsafe { raw::CMS_SignerInfo_verify(self.pointer) })?;
        Ok(())
    }

    /// Checks the digest of, or the signature over, the content that has passed. `CMS_SignerInfo_verify_content`
    pub(crate) fn verify_content(&self, chain: &Chain) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the chain's digests are copied.
        cvt(unsafe { raw::CMS_SignerInfo_verify_content(self.pointer, chain.0.as_ptr()) })?;
        Ok(())
    }

    /// The signer's certificate, once it was found. `CMS_SignerInfo_get0_algs`
    pub(crate) fn certificate(&self) -> Option<&'a X509Ref> {
        let mut certificate: *mut openssl_sys::X509 = ptr::null_mut();
        // SAFETY: the signer is part of a valid message; what isn't wanted is null.
        unsafe {
            raw::CMS_SignerInfo_get0_algs(
                self.pointer,
                ptr::null_mut(),
                &raw mut certificate,
                ptr::null_mut(),
                ptr::null_mut(),
            );
        }
        // SAFETY: the certificate, if there is one, lives as long as the message.
        (!certificate.is_null()).then(|| unsafe { X509Ref::from_ptr(certificate) })
    }

    /// The digest and the signature algorithm. `CMS_SignerInfo_get0_algs`
    pub(crate) fn algorithms(&self) -> (Nid, Nid) {
        let mut digest: *mut openssl_sys::X509_ALGOR = ptr::null_mut();
        let mut signature: *mut openssl_sys::X509_ALGOR = ptr::null_mut();
        // SAFETY: the signer is part of a valid message; what isn't wanted is null.
        unsafe {
            raw::CMS_SignerInfo_get0_algs(
                self.pointer,
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut digest,
                &raw mut signature,
            );
        }
        (algorithm_nid(digest), algorithm_nid(signature))
    }

    /// How the message names the signer. `CMS_SignerInfo_get0_signer_id`
    pub(crate) fn id(&self) -> Option<CertificateId<'a>> {
        let mut key_id: *mut openssl_sys::ASN1_OCTET_STRING = ptr::null_mut();
        let mut issuer: *mut openssl_sys::X509_NAME = ptr::null_mut();
        let mut serial: *mut openssl_sys::ASN1_INTEGER = ptr::null_mut();
        // SAFETY: the signer is part of a valid message.
        unsafe {
            raw::CMS_SignerInfo_get0_signer_id(
                self.pointer,
                &raw mut key_id,
                &raw mut issuer,
                &raw mut serial,
            );
        }
        certificate_id(key_id, issuer, serial)
    }

    /// The encoding of a signed attribute's only value, where it has this tag. `CMS_signed_get0_data_by_OBJ`
    pub(crate) fn attribute(&self, kind: Nid, tag: c_int) -> Option<Vec<u8>> {
        // SAFETY: the number stands for a known object, or the result is null.
        let object = unsafe { openssl_sys::OBJ_nid2obj(kind.as_raw()) };
        // SAFETY: the signer is part of a valid message; -3 asks for the only value of the only such attribute.
        let value = unsafe { raw::CMS_signed_get0_data_by_OBJ(self.pointer, object, -3, tag) };
        if value.is_null() {
            return None;
        }
        let string = value.cast::<openssl_sys::ASN1_STRING>();
        // SAFETY: every type that is asked for here is an `ASN1_STRING`.
        let data = unsafe { openssl_sys::ASN1_STRING_get0_data(string) };
        // SAFETY: the same.
        let length = unsafe { openssl_sys::ASN1_STRING_length(string) };
        // SAFETY: the string has this many bytes, and the signer is borrowed.
        let bytes =
            unsafe { ffi::bytes(data.cast::<c_void>(), usize::try_from(length).unwrap_or(0)) };
        Some(bytes.to_vec())
    }

    /// Whether the attributes that name the signer's certificate fit the chain. `OSSL_ESS_check_signing_certs`
    pub(crate) fn check_signing_certificate(
        &self,
        chain: &StackRef<X509>,
    ) -> Result<(), ErrorStack> {
        // SAFETY: the signer is part of a valid message, and the stack is valid.
        cvt(unsafe { raw::tls_CMS_check_signing_certs(self.pointer, chain.as_ptr()) })?;
        Ok(())
    }
}

/// The identifier of an algorithm.
fn algorithm_nid(algorithm: *const openssl_sys::X509_ALGOR) -> Nid {
    if algorithm.is_null() {
        return Nid::UNDEF;
    }
    // SAFETY: the algorithm isn't null, and is part of a valid message.
    Nid::from_raw(unsafe { raw::tls_X509_ALGOR_nid(algorithm) })
}
