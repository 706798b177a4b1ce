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

/// The long name of an alert, e.g. `unknown CA`. Corresponds to `SSL_alert_desc_string_long`, which lacks some of those
/// that came with TLS 1.3.
pub(crate) fn name(alert: c_int) -> String {
    match alert {
        86 => return "inappropriate fallback".to_owned(),
        109 => return "missing extension".to_owned(),
        116 => return "certificate required".to_owned(),
        _ => {}
    }
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

/// The level of an alert: `warning`, `fatal` or `unknown`. Corresponds to `SSL_alert_type_string_long`.
pub(crate) fn level(value: c_int) -> String {
    // SAFETY: any number is allowed, and the result is a static string.
    let level = unsafe { ffi::SSL_alert_type_string_long(value) };
    // SAFETY: OpenSSL's strings end with a zero byte.
    unsafe { CStr::from_ptr(level) }
        .to_string_lossy()
        .into_owned()
}

/// A change of state in the words of the `info` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// handshake, alert, connect, accept or unknown.
    pub(crate) major: &'static str,
    /// start, done, read, write, loop, exit or unknown.
    pub(crate) minor: &'static str,
}

impl Step {
    /// Reads the `SSL_CB_` and `SSL_ST_` bits of an info callback.
    pub(crate) fn read(kind: c_int) -> Self {
        let has = |bits: c_int| kind & bits != 0;
        let major = match () {
            () if has(ffi::SSL_CB_HANDSHAKE_START) || has(ffi::SSL_CB_HANDSHAKE_DONE) => {
                "handshake"
            }
            () if kind & ffi::SSL_CB_ALERT == ffi::SSL_CB_ALERT => "alert",
            () if has(ffi::SSL_ST_CONNECT) => "connect",
            () if has(ffi::SSL_ST_ACCEPT) => "accept",
            () => "unknown",
        };
        let minor = match () {
            () if has(ffi::SSL_CB_HANDSHAKE_START) => "start",
            () if has(ffi::SSL_CB_HANDSHAKE_DONE) => "done",
            () if has(ffi::SSL_CB_READ) => "read",
            () if has(ffi::SSL_CB_WRITE) => "write",
            () if has(ffi::SSL_CB_LOOP) => "loop",
            () if has(ffi::SSL_CB_EXIT) => "exit",
            () => "unknown",
        };
        Self { major, minor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_names() {
        let names = [40, 48, 86, 109, 116, 120, 255].map(name);
        let expected = [
            "handshake failure",
            "unknown CA",
            "inappropriate fallback",
            "missing extension",
            "certificate required",
            "no application protocol",
            "unknown",
        ];
        assert_eq!(names, expected);
    }
}
