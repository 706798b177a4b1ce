//! Messages that are signed.

use std::ptr::{self, NonNull};

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::md::MdRef;
use openssl::pkey::{PKeyRef, Private};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref};

use super::{ContentInfo, Flags, SignerInfo, maybe, properties, stack_elements};
use crate::ffi::ossl as raw;
use crate::ossl::error::{cvt, cvt_p};

impl ContentInfo {
    /// A message to be signed, with certificates to put into it. `CMS_sign_ex`
    pub(crate) fn sign(
        certificates: Option<&StackRef<X509>>,
        flags: Flags,
    ) -> Result<Self, ErrorStack> {
        let certificates = maybe(certificates);
        // SAFETY: no signer and no content are given, the certificates, if any, are a valid stack, and the text is null or
        // ends with a null byte.
        let pointer = properties::with(|properties| unsafe {
            raw::CMS_sign_ex(
                ptr::null_mut(),
                ptr::null_mut(),
                certificates,
                ptr::null_mut(),
                flags.and(Flags::PARTIAL).and(Flags::STREAM).0,
                ptr::null_mut(),
                properties,
            )
        });
        Self::owned(pointer)
    }

    /// Adds a signer. `CMS_add1_signer`
    pub(crate) fn add_signer(
        &self,
        certificate: &X509Ref,
        key: &PKeyRef<Private>,
        digest: Option<&MdRef>,
        flags: Flags,
    ) -> Result<SignerInfo<'_>, ErrorStack> {
        let digest = digest.map_or(ptr::null(), |digest| digest.as_ptr().cast_const());
        // SAFETY: all are valid; certificate and key are counted, not taken.
        let signer = cvt_p(unsafe {
            raw::CMS_add1_signer(
                self.as_ptr(),
                certificate.as_ptr(),
                key.as_ptr(),
                digest,
                flags.0,
            )
        })?;
        Ok(SignerInfo::new(signer))
    }

    /// The signers. `CMS_get0_SignerInfos`
    pub(crate) fn signers(&self) -> Vec<SignerInfo<'_>> {
        // SAFETY: the message is valid; for another type than SignedData the result is null.
        let stack = unsafe { raw::CMS_get0_SignerInfos(self.as_ptr()) };
        stack_elements(stack)
            .into_iter()
            .map(|signer: NonNull<raw::CMS_SignerInfo>| SignerInfo::new(signer.as_ptr()))
            .collect()
    }

    /// Finds the signers' certificates, and tells how many were found. `CMS_set1_signers_certs`
    pub(crate) fn find_signers(
        &self,
        certificates: Option<&StackRef<X509>>,
        flags: Flags,
    ) -> usize {
        let certificates = maybe(certificates);
        // SAFETY: the message and the stack, if there is one, are valid.
        let found = unsafe { raw::CMS_set1_signers_certs(self.as_ptr(), certificates, flags.0) };
        usize::try_from(found).unwrap_or(0)
    }

    /// Verifies this message as a receipt for another one. `CMS_verify_receipt`
    pub(crate) fn check_receipt(
        &self,
        original: &Self,
        certificates: Option<&StackRef<X509>>,
        store: &openssl::x509::store::X509StoreRef,
        flags: Flags,
    ) -> Result<(), ErrorStack> {
        // SAFETY: all are valid.
        cvt(unsafe {
            raw::CMS_verify_receipt(
                self.as_ptr(),
                original.as_ptr(),
                maybe(certificates),
                store.as_ptr(),
                flags.0,
            )
        })?;
        Ok(())
    }
}
