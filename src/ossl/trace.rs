//! Protocol messages as text, where the loaded OpenSSL was built with `SSL_trace`.

use std::sync::OnceLock;

use foreign_types::ForeignTypeRef;
use libc::{c_int, c_void};
use openssl::ssl::SslRef;
use openssl_sys as sys;

use super::print::printed;

/// The longest text that is of use.
const LONGEST: usize = 15_000;

/// The type of `SSL_trace`.
type Trace =
    unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, *mut sys::SSL, *mut c_void);

/// `SSL_trace`, which many builds leave out: so it is looked up rather than linked.
fn trace() -> Option<Trace> {
    static FOUND: OnceLock<Option<Trace>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the name is a C string, and the lookup has no other precondition.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"SSL_trace".as_ptr()) };
        // SAFETY: where libssl has this function, it has this type, in every version since 1.0.2.
        (!symbol.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Trace>(symbol) })
    })
}

/// A protocol message as text; `None` where the library can't. Corresponds to `SSL_trace`.
pub(crate) fn text(
    ssl: &SslRef,
    sent: bool,
    version: c_int,
    content_type: c_int,
    message: &[u8],
) -> Option<String> {
    let trace = trace()?;
    let text = printed(|bio| {
        let data = message.as_ptr().cast::<c_void>();
        // SAFETY: the message has that length, the connection and the BIO are alive during the call.
        unsafe {
            trace(
                c_int::from(sent),
                version,
                content_type,
                data,
                message.len(),
                ssl.as_ptr(),
                bio.cast(),
            );
        }
        1
    });
    let mut text = String::from_utf8_lossy(&text?).into_owned();
    let end = (0..=LONGEST.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    Some(text)
}

/// A protocol version as it is called in events.
pub(crate) fn version(number: c_int) -> &'static str {
    match number {
        0 => "none",
        sys::SSL3_VERSION => "SSLv3",
        sys::TLS1_VERSION => "TLSv1",
        sys::TLS1_1_VERSION => "TLSv1.1",
        sys::TLS1_2_VERSION => "TLSv1.2",
        sys::TLS1_3_VERSION => "TLSv1.3",
        _ => "unknown",
    }
}

/// A record type as it is called in events. The numbers are those of RFC 8446, section 5.1, and OpenSSL's own.
pub(crate) fn content(number: c_int) -> &'static str {
    match number {
        20 => "Change Cipher",
        21 => "Alert",
        22 => "Handshake",
        23 => "App Data",
        256 => "Header",
        257 => "Inner Content",
        _ => "unknown",
    }
}
