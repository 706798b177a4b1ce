//! Names with several attributes at one place, which the openssl crate can't make.

use foreign_types::ForeignTypeRef;
use libc::c_int;
use openssl::asn1::Asn1ObjectRef;
use openssl::error::ErrorStack;
use openssl::x509::X509NameRef;

use super::error::cvt;
use crate::ffi::ossl;

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
