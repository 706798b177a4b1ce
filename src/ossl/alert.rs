//! What entries of the error queue say about a connection that failed: alerts of the peer, and a few reasons.

use std::ffi::CStr;

use libc::c_int;

use crate::error::OpenSslEntry;
use crate::ffi::ossl as ffi;

/// The reason codes from here on are alerts that the peer sent: `SSL_AD_REASON_OFFSET`.
const ALERT_OFFSET: c_int = 1000;

/// The number of the alert that the peer sent, where that is what an SSL reason code says.
pub(crate) fn received(reason: c_int) -> Option<c_int> {
    (ALERT_OFFSET..ALERT_OFFSET + 256)
        .contains(&reason)
        .then(|| reason - ALERT_OFFSET)
}

/// The long name of an alert, e.g. `unknown CA`. Corresponds to `SSL_alert_desc_string_long`.
pub(crate) fn name(alert: c_int) -> String {
    // SAFETY: any number is allowed, and the result is a static string.
    let name = unsafe { openssl_sys::SSL_alert_desc_string_long(alert) };
    // SAFETY: OpenSSL's strings end with a zero byte.
    unsafe { CStr::from_ptr(name) }
        .to_string_lossy()
        .into_owned()
}

/// Whether an entry says that the stream ended without TLS saying so.
pub(crate) fn is_unexpected_eof(entry: &OpenSslEntry) -> bool {
    entry.code == ffi::SSL_R_UNEXPECTED_EOF_WHILE_READING
}

/// Whether an entry says that the peer's certificate was refused.
pub(crate) fn is_verify_failure(entry: &OpenSslEntry) -> bool {
    entry.code == ffi::SSL_R_CERTIFICATE_VERIFY_FAILED
}
