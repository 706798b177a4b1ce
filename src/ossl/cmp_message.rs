//! CMP messages and the pieces of information in them, between their encoding and OpenSSL's form.

use std::ptr;

use foreign_types::ForeignType;
use libc::{c_int, c_long};
use openssl::asn1::Asn1Object;
use openssl_sys as sys;

use super::error::{checked, checked_p};
use crate::error::OpenSslEntry;
use crate::ffi::{self, ossl};

/// OpenSSL's reasons. They may quote a peer, which the openssl crate's own type can't bear.
pub(crate) type Entries = Vec<OpenSslEntry>;

/// The length of an encoding as OpenSSL takes it.
pub(super) fn length_of(encoded: &[u8]) -> c_long {
    c_long::try_from(encoded.len()).unwrap_or(c_long::MAX)
}

/// A message (OSSL_CMP_MSG).
pub(crate) struct Message(*mut ossl::OSSL_CMP_MSG);

// SAFETY: a message has no ties to a thread, and this type is its only owner.
unsafe impl Send for Message {}

impl Drop for Message {
    #[doc(alias = "OSSL_CMP_MSG_free")]
    fn drop(&mut self) {
        // SAFETY: the message is ours.
        unsafe { ossl::OSSL_CMP_MSG_free(self.0) };
    }
}

impl Message {
    /// Reads a message from its encoding (d2i_OSSL_CMP_MSG).
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Entries> {
        let mut at = bytes.as_ptr();
        let length = length_of(bytes);
        // SAFETY: `length` bytes can be read.
        let message =
            checked_p(unsafe { ossl::d2i_OSSL_CMP_MSG(ptr::null_mut(), &raw mut at, length) })?;
        Ok(Self(message))
    }

    /// The message's encoding.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Entries> {
        // SAFETY: the message is alive.
        unsafe { Self::encode_raw(self.0) }
    }

    /// The encoding of a message that somebody else owns (i2d_OSSL_CMP_MSG).
    ///
    /// # Safety
    ///
    /// `message` must be alive.
    pub(super) unsafe fn encode_raw(
        message: *const ossl::OSSL_CMP_MSG,
    ) -> Result<Vec<u8>, Entries> {
        let mut encoded: *mut u8 = ptr::null_mut();
        // SAFETY: the caller says that the message is alive; OpenSSL allocates what the null pointer will point to.
        let length = checked(unsafe { ossl::i2d_OSSL_CMP_MSG(message, &raw mut encoded) })?;
        let length = usize::try_from(length).unwrap_or(0);
        // SAFETY: OpenSSL says that so many bytes are there.
        let bytes = unsafe { ffi::bytes(encoded.cast(), length) }.to_vec();
        // SAFETY: the buffer was allocated for us.
        unsafe { sys::OPENSSL_free(encoded.cast()) };
        Ok(bytes)
    }

    /// The pointer, good while the message lives.
    pub(super) fn as_ptr(&self) -> *mut ossl::OSSL_CMP_MSG {
        self.0
    }

    /// Takes over a message.
    ///
    /// # Safety
    ///
    /// A pointer that isn't null must be a message of which the caller is the owner.
    pub(super) unsafe fn from_raw(raw: *mut ossl::OSSL_CMP_MSG) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    /// Gives the message away.
    pub(super) fn into_raw(self) -> *mut ossl::OSSL_CMP_MSG {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// The transaction id; empty where there is none (OSSL_CMP_HDR_get0_transactionID).
    pub(crate) fn transaction(&self) -> Vec<u8> {
        // SAFETY: the message is alive.
        let header = unsafe { ossl::OSSL_CMP_MSG_get0_header(self.0) };
        // SAFETY: the header belongs to the message.
        let id = unsafe { ossl::OSSL_CMP_HDR_get0_transactionID(header) };
        // SAFETY: the id is null or belongs to the header.
        unsafe { octets(id.cast::<sys::ASN1_STRING>()) }.to_vec()
    }
}

/// An octet string (ASN1_OCTET_STRING).
pub(super) struct OctetString(*mut sys::ASN1_STRING);

impl Drop for OctetString {
    #[doc(alias = "ASN1_STRING_free")]
    fn drop(&mut self) {
        // SAFETY: the string is ours.
        unsafe { sys::ASN1_STRING_free(self.0) };
    }
}

impl OctetString {
    /// A string of some bytes (ASN1_STRING_type_new, ASN1_STRING_set).
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Entries> {
        // SAFETY: has no precondition.
        let string = Self(checked_p(unsafe {
            sys::ASN1_STRING_type_new(sys::V_ASN1_OCTET_STRING)
        })?);
        let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        // SAFETY: `length` bytes can be read, and OpenSSL copies them.
        checked(unsafe { sys::ASN1_STRING_set(string.0, bytes.as_ptr().cast(), length) })?;
        Ok(string)
    }

    /// The pointer, good while the string lives.
    pub(super) fn as_ptr(&self) -> *const sys::ASN1_OCTET_STRING {
        self.0.cast_const().cast()
    }
}

/// The bytes of a string; none if it is null.
///
/// # Safety
///
/// `string` must be null, or alive and unchanged as long as the bytes are used.
pub(super) unsafe fn octets<'a>(string: *const sys::ASN1_STRING) -> &'a [u8] {
    if string.is_null() {
        return &[];
    }
    // SAFETY: the caller says that it is alive.
    let data = unsafe { sys::ASN1_STRING_get0_data(string) };
    // SAFETY: as above.
    let length = unsafe { sys::ASN1_STRING_length(string) };
    // SAFETY: the string has so many bytes.
    unsafe { ffi::bytes(data.cast(), usize::try_from(length).unwrap_or(0)) }
}

/// A type of information (OSSL_CMP_ITAV).
pub(crate) struct Itav(*mut ossl::OSSL_CMP_ITAV);

impl Drop for Itav {
    #[doc(alias = "OSSL_CMP_ITAV_free")]
    fn drop(&mut self) {
        // SAFETY: the piece is ours.
        unsafe { ossl::OSSL_CMP_ITAV_free(self.0) };
    }
}

impl Itav {
    /// A type without a value (OSSL_CMP_ITAV_create). A value would have to be of the C type that the loaded library
    /// has for the type.
    pub(crate) fn new(kind: Asn1Object) -> Result<Self, Entries> {
        // SAFETY: the type is ours to give, null stands for no value, and the piece takes over the type if the call
        // succeeds.
        let itav =
            checked_p(unsafe { ossl::OSSL_CMP_ITAV_create(kind.as_ptr(), ptr::null_mut()) })?;
        std::mem::forget(kind);
        Ok(Self(itav))
    }

    /// The pointer, good while the piece lives.
    pub(super) fn as_ptr(&self) -> *mut ossl::OSSL_CMP_ITAV {
        self.0
    }
}
