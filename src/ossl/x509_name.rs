//! Names with several attributes at one place, which the openssl crate can't make.

use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foreign_types::ForeignTypeRef;
use libc::{c_int, c_ulong};
use openssl::asn1::Asn1ObjectRef;
use openssl::error::ErrorStack;
use openssl::x509::X509NameRef;

use super::error::cvt;
use crate::ffi::ossl;

/// The string types that OpenSSL picks from, while this lives.
///
/// They are one setting for the whole process, so that whoever makes names by another one takes turns with others.
#[derive(Debug)]
pub(crate) struct Mask {
    /// What was allowed before.
    before: c_ulong,
    /// The turn.
    _turn: MutexGuard<'static, ()>,
}

impl Mask {
    /// Allows the types of a mask such as `utf8only`; `None` if there is no such mask (ASN1_STRING_set_default_mask_asc).
    pub(crate) fn set(words: &str) -> Option<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let words = CString::new(words).ok()?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: has no precondition.
        let before = unsafe { ossl::ASN1_STRING_get_default_mask() };
        // SAFETY: the words end with a null byte.
        let done = unsafe { ossl::ASN1_STRING_set_default_mask_asc(words.as_ptr()) };
        (done == 1).then_some(Self {
            before,
            _turn: turn,
        })
    }
}

impl Drop for Mask {
    #[doc(alias = "ASN1_STRING_set_default_mask")]
    fn drop(&mut self) {
        // SAFETY: has no precondition.
        unsafe { ossl::ASN1_STRING_set_default_mask(self.before) };
    }
}

/// The string's bytes are UTF-8; OpenSSL picks the string type that fits the attribute.
const MBSTRING_UTF8: c_int = 0x1000;

/// Adds an attribute at the end, or `joined` to the last one (X509_NAME_add_entry_by_OBJ).
pub(crate) fn add_entry(
    name: &mut X509NameRef,
    object: &Asn1ObjectRef,
    value: &str,
    joined: bool,
) -> Result<(), ErrorStack> {
    let len = c_int::try_from(value.len()).map_err(|_| ErrorStack::get())?;
    let set = if joined { -1 } else { 0 };
    // SAFETY: name and object live as long as their references, nobody else sees the name while it is borrowed
    // mutably, and `len` bytes can be read at `value`; all is copied.
    let added = unsafe {
        ossl::X509_NAME_add_entry_by_OBJ(
            name.as_ptr(),
            object.as_ptr(),
            MBSTRING_UTF8,
            value.as_ptr(),
            len,
            -1,
            set,
        )
    };
    cvt(added).map(|_| ())
}
