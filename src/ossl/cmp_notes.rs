//! What OpenSSL's CMP says beside its results: notes of what it does, and errors, which cast doubt on one thing or another.

use std::cell::RefCell;
use std::ffi::CStr;

use libc::{c_char, c_int};

use crate::ffi::ossl as ffi;

thread_local! {
    /// What OpenSSL's client and server have said in this thread since it was last taken.
    static NOTES: RefCell<Vec<(c_int, String)>> = const { RefCell::new(Vec::new()) };
}

/// Takes what OpenSSL said in this thread: how serious it is (3 is an error, 6 information), and a line.
pub(crate) fn take_notes() -> Vec<(c_int, String)> {
    NOTES.with(RefCell::take)
}

/// Does something whose notes nobody wants to have.
pub(crate) fn without_notes<T>(work: impl FnOnce() -> T) -> T {
    let kept = take_notes();
    let result = work();
    NOTES.set(kept);
    result
}

/// Notes a line. OpenSSL calls this with texts of its own making.
pub(super) unsafe extern "C" fn note(
    _function: *const c_char,
    _file: *const c_char,
    _line: c_int,
    level: ffi::OSSL_CMP_severity,
    text: *const c_char,
) -> c_int {
    if text.is_null() {
        return 1;
    }
    // SAFETY: the text ends with a null byte, and is copied.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim_end().to_owned();
    NOTES.with(|notes| {
        if let Ok(mut notes) = notes.try_borrow_mut() {
            notes.push((level, text));
        }
    });
    1
}

/// What an error of the CMP library casts doubt on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Whether an answer is the server's.
    Protection,
    /// Whether the new certificate is what was asked for.
    Certificate,
    /// The server refused.
    Refused,
    /// Time is over.
    Late,
    /// The answer doesn't fit the request.
    Nonsense,
    /// No answer came.
    Transfer,
}

/// What an entry of the error queue casts doubt on; `None` if it isn't about an answer.
pub(crate) fn doubt(entry: &crate::error::OpenSslEntry) -> Option<Doubt> {
    if !entry.library.eq_ignore_ascii_case("CMP routines") {
        return None;
    }
    Some(match entry.code {
        ffi::CMP_R_ERROR_VALIDATING_PROTECTION
        | ffi::CMP_R_ERROR_VALIDATING_SIGNATURE
        | ffi::CMP_R_MISSING_KEY_USAGE_DIGITALSIGNATURE
        | ffi::CMP_R_MISSING_PBM_SECRET
        | ffi::CMP_R_MISSING_PROTECTION
        | ffi::CMP_R_MISSING_SECRET
        | ffi::CMP_R_MISSING_TRUST_ANCHOR
        | ffi::CMP_R_MISSING_TRUST_STORE
        | ffi::CMP_R_NO_SUITABLE_SENDER_CERT
        | ffi::CMP_R_POTENTIALLY_INVALID_CERTIFICATE
        | ffi::CMP_R_RECIPNONCE_UNMATCHED
        | ffi::CMP_R_SENDER_GENERALNAME_TYPE_NOT_SUPPORTED
        | ffi::CMP_R_SRVCERT_DOES_NOT_VALIDATE_MSG
        | ffi::CMP_R_TRANSACTIONID_UNMATCHED
        | ffi::CMP_R_UNSUPPORTED_PROTECTION_ALG_DHBASEDMAC
        | ffi::CMP_R_WRONG_ALGORITHM_OID
        | ffi::CMP_R_WRONG_PBM_VALUE => Doubt::Protection,
        ffi::CMP_R_CERTIFICATE_NOT_ACCEPTED | ffi::CMP_R_CERTHASH_UNMATCHED => Doubt::Certificate,
        ffi::CMP_R_ENCOUNTERED_KEYUPDATEWARNING
        | ffi::CMP_R_RECEIVED_ERROR
        | ffi::CMP_R_REQUEST_REJECTED_BY_SERVER
        | ffi::CMP_R_REQUEST_NOT_ACCEPTED => Doubt::Refused,
        ffi::CMP_R_TOTAL_TIMEOUT => Doubt::Late,
        ffi::CMP_R_TRANSFER_ERROR => Doubt::Transfer,
        ffi::CMP_R_BAD_CHECKAFTER_IN_POLLREP
        | ffi::CMP_R_BAD_REQUEST_ID
        | ffi::CMP_R_CERTIFICATE_NOT_FOUND
        | ffi::CMP_R_CERTRESPONSE_NOT_FOUND
        | ffi::CMP_R_CHECKAFTER_OUT_OF_RANGE
        | ffi::CMP_R_ENCOUNTERED_WAITING
        | ffi::CMP_R_ERROR_PARSING_PKISTATUS
        | ffi::CMP_R_MULTIPLE_RESPONSES_NOT_SUPPORTED
        | ffi::CMP_R_PKIBODY_ERROR
        | ffi::CMP_R_PKISTATUSINFO_NOT_FOUND
        | ffi::CMP_R_POLLING_FAILED
        | ffi::CMP_R_UNEXPECTED_PKIBODY
        | ffi::CMP_R_UNEXPECTED_PKISTATUS
        | ffi::CMP_R_UNEXPECTED_PVNO
        | ffi::CMP_R_UNKNOWN_CERT_TYPE
        | ffi::CMP_R_UNKNOWN_PKISTATUS
        | ffi::CMP_R_WRONG_CERTID_IN_RP
        | ffi::CMP_R_WRONG_RP_COMPONENT_COUNT
        | ffi::CMP_R_WRONG_SERIAL_IN_RP => Doubt::Nonsense,
        _ => return None,
    })
}
