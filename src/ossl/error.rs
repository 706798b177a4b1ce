//! OpenSSL's error queue as the crate's error, and a guard that keeps the queue apart from what runs in between.

use std::ffi::{CStr, CString};
use std::ptr;

use libc::{c_char, c_int, c_ulong};
use openssl::error::ErrorStack;
use openssl_sys as sys;

use crate::error::{Error, OpenSslEntry};
use crate::ffi::ossl as ffi;

/// The entries of an error stack, as text.
pub(crate) fn entries(stack: &ErrorStack) -> Vec<OpenSslEntry> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    stack
        .errors()
        .iter()
        .map(|error| OpenSslEntry {
            library: text(error.library()),
            reason: match error.reason() {
                Some(reason) => reason.to_owned(),
                None => unnamed(error.library_code(), error.reason_code()),
            },
            code: error.reason_code(),
            data: text(error.data()),
        })
        .collect()
}

/// The crate's error for a failed OpenSSL call; `doing` says what was tried.
pub(crate) fn failed(doing: &str, stack: &ErrorStack) -> Error {
    Error::OpenSsl {
        doing: doing.to_owned(),
        entries: entries(stack),
    }
}

/// Takes whatever is in this thread's error queue, earliest first.
///
/// This reads the queue itself: the openssl crate's `ErrorStack` panics if the data of an entry isn't UTF-8, and the
/// data may quote a file name, a configuration or anything else from outside.
pub(crate) fn queue() -> Vec<OpenSslEntry> {
    std::iter::from_fn(next).collect()
}

/// Takes the earliest entry of the queue.
fn next() -> Option<OpenSslEntry> {
    let (code, data) = next_raw()?;
    // SAFETY: any code may be asked for; an unknown one gives null.
    let library = unsafe { sys::ERR_lib_error_string(code) };
    // SAFETY: as above.
    let reason = unsafe { sys::ERR_reason_error_string(code) };
    let number = sys::ERR_GET_REASON(code);
    // SAFETY: the name stands in OpenSSL's tables.
    let library = unsafe { lossy(library) };
    // SAFETY: as above.
    let reason = unsafe { lossy(reason) };
    Some(OpenSslEntry {
        library,
        reason: match reason.is_empty() {
            true => unnamed(sys::ERR_GET_LIB(code), number),
            false => reason,
        },
        code: number,
        data,
    })
}

/// The text of a reason that OpenSSL has none for: those of the operating system, whose library is number 2, are its
/// error numbers.
fn unnamed(library: c_int, number: c_int) -> String {
    /// `ERR_LIB_SYS`.
    const SYSTEM: c_int = 2;
    if library != SYSTEM {
        return format!("reason {number}");
    }
    let text = std::io::Error::from_raw_os_error(number).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

/// Takes the earliest entry of the queue: its code and its data.
fn next_raw() -> Option<(c_ulong, String)> {
    let mut data = ptr::null();
    let mut flags = 0;
    let null = ptr::null_mut();
    // SAFETY: works on the calling thread's own queue; `data` and `flags` have their places, the rest isn't wanted.
    let code =
        unsafe { sys::ERR_get_error_all(null, null.cast(), null, &raw mut data, &raw mut flags) };
    if code == 0 {
        return None;
    }
    let data = match flags & sys::ERR_TXT_STRING {
        0 => String::new(),
        // SAFETY: the flag says that the data is text; it stays until the next error is raised.
        _ => unsafe { lossy(data) },
    };
    Some((code, data))
}

/// What the openssl crate's `ErrorStack::get` gives, but without its panic where the data of an entry isn't UTF-8.
pub(crate) fn stack() -> ErrorStack {
    let entries: Vec<(c_ulong, String)> = std::iter::from_fn(next_raw).collect();
    for (code, data) in entries {
        let data = CString::new(data).unwrap_or_default();
        let (library, reason) = (sys::ERR_GET_LIB(code), sys::ERR_GET_REASON(code));
        // SAFETY: works on the calling thread's own queue.
        unsafe { sys::ERR_new() };
        // SAFETY: the format takes one C string, which is copied.
        unsafe { sys::ERR_set_error(library, reason, c"%s".as_ptr(), data.as_ptr()) };
    }
    ErrorStack::get()
}

/// A copy of a text, empty for null.
///
/// # Safety
///
/// `text` must be null, or end with a null byte.
unsafe fn lossy(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller says that it ends with a null byte.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// Empties this thread's error queue, so that an answer isn't explained by somebody else's errors.
pub(crate) fn clear() {
    // Nearly always there is nothing to clear, and clearing goes through all entries.
    // SAFETY: looks at the calling thread's own queue, and has no other precondition.
    if unsafe { openssl_sys::ERR_peek_last_error() } != 0 {
        // SAFETY: works on the calling thread's own queue, and has no other precondition.
        unsafe { openssl_sys::ERR_clear_error() };
    }
}

/// Checks a result of 1 for success, 0 or less for failure.
pub(crate) fn cvt(result: c_int) -> Result<c_int, ErrorStack> {
    match result {
        1.. => Ok(result),
        _ => Err(stack()),
    }
}

/// Checks a pointer result, null for failure.
pub(crate) fn cvt_p<T>(pointer: *mut T) -> Result<*mut T, ErrorStack> {
    match pointer.is_null() {
        true => Err(stack()),
        false => Ok(pointer),
    }
}

/// Checks a result of 1 for success, 0 or less for failure, where the queue may quote a peer.
pub(crate) fn checked(result: c_int) -> Result<c_int, Vec<OpenSslEntry>> {
    match result {
        1.. => Ok(result),
        _ => Err(queue()),
    }
}

/// Checks a pointer result, null for failure, where the queue may quote a peer.
pub(crate) fn checked_p<T>(pointer: *mut T) -> Result<*mut T, Vec<OpenSslEntry>> {
    match pointer.is_null() {
        true => Err(queue()),
        false => Ok(pointer),
    }
}

/// Keeps the thread's error queue and `errno` as they are while it lives: what script code leaves in them is dropped
/// at the end.
#[derive(Debug)]
pub(crate) struct QueueGuard {
    /// The value of `errno` at the start.
    errno: c_int,
}

impl QueueGuard {
    /// Sets the mark. In an empty queue there is nothing to mark, and the end then empties the queue: just as well.
    pub(crate) fn new() -> Self {
        let location = errno_location();
        // SAFETY: the C library's pointer to the calling thread's `errno` is valid as long as the thread runs.
        let errno = unsafe { *location };
        // SAFETY: works on the calling thread's own queue, and has no other precondition.
        unsafe { ffi::ERR_set_mark() };
        Self { errno }
    }
}

impl Drop for QueueGuard {
    fn drop(&mut self) {
        // SAFETY: works on the calling thread's own queue, and has no other precondition.
        unsafe { ffi::ERR_pop_to_mark() };
        let location = errno_location();
        // SAFETY: the C library's pointer to the calling thread's `errno` is valid as long as the thread runs.
        unsafe { *location = self.errno };
    }
}

/// Where the calling thread's `errno` is.
#[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd"))]
fn errno_location() -> *mut c_int {
    // SAFETY: has no precondition.
    unsafe { libc::__errno_location() }
}

/// Where the calling thread's `errno` is.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
))]
fn errno_location() -> *mut c_int {
    // SAFETY: has no precondition.
    unsafe { libc::__error() }
}

/// Where the calling thread's `errno` is.
#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
fn errno_location() -> *mut c_int {
    // SAFETY: has no precondition.
    unsafe { libc::__errno() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_is_no_utf_8_does_no_harm() {
        // SAFETY: works on the calling thread's own queue.
        unsafe { sys::ERR_new() };
        // SAFETY: the format takes one C string, which is copied; 13 is the ASN.1 library.
        unsafe { sys::ERR_set_error(13, 100, c"%s".as_ptr(), c"caf\xe9".as_ptr()) };
        let found = entries(&cvt(0).unwrap_err());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, 100);
        assert_eq!(found[0].data, "caf\u{fffd}");
    }

    #[test]
    fn reasons_of_the_system_are_in_its_words() {
        assert_eq!(unnamed(2, libc::ENOENT), "no such file or directory");
        assert_eq!(unnamed(20, 9999), "reason 9999");
    }
}
