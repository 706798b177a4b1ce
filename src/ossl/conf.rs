//! Configuration files, read by OpenSSL's own reader: variables, `.include`, the environment and all.

use std::ffi::{CStr, CString};

use foreign_types::ForeignType;
use foreign_types::ForeignTypeRef;
use libc::{c_char, c_int, c_long};
use openssl::conf::{Conf, ConfMethod, ConfRef};
use openssl::error::ErrorStack;
use openssl_sys as sys;

use super::error::{QueueGuard, cvt, cvt_p};
use crate::ffi::ossl;

/// What keeps a configuration from being read: the line, and OpenSSL's reasons.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The number of the line, 0 if it is none.
    pub(crate) line: i64,
    /// The reasons.
    pub(crate) stack: ErrorStack,
}

/// Reads a configuration from its text (NCONF_load_bio).
pub(crate) fn parse(text: &[u8]) -> Result<Conf, Unreadable> {
    let unreadable = |stack| Unreadable { line: 0, stack };
    let conf = Conf::new(ConfMethod::default()).map_err(unreadable)?;
    let len = c_int::try_from(text.len()).map_err(|_| unreadable(ErrorStack::get()))?;
    // SAFETY: the BIO reads `len` bytes of `text`, which outlives it.
    let bio = unsafe { sys::BIO_new_mem_buf(text.as_ptr().cast(), len) };
    let bio = cvt_p(bio).map_err(unreadable)?;
    let mut line: c_long = 0;
    // SAFETY: `conf` and `bio` are live, `line` is a place for a long.
    let done = unsafe { ossl::NCONF_load_bio(conf.as_ptr(), bio, &raw mut line) };
    let done = cvt(done).map_err(|stack| Unreadable {
        line: i64::from(line),
        stack,
    });
    // SAFETY: `bio` came from BIO_new_mem_buf and is used no more.
    unsafe { sys::BIO_free_all(bio) };
    done.map(|_| conf)
}

/// The value of a name in a section, or else in the default section (NCONF_get_string).
pub(crate) fn value(conf: &ConfRef, section: &str, name: &str) -> Option<String> {
    let (section, name) = (CString::new(section).ok()?, CString::new(name).ok()?);
    let _guard = QueueGuard::new();
    // SAFETY: `conf` is live, both names end with a null byte.
    let value = unsafe { ossl::NCONF_get_string(conf.as_ptr(), section.as_ptr(), name.as_ptr()) };
    // SAFETY: a value is a string that lives as long as its configuration.
    unsafe { text(value) }
}

/// The names and values of a section in their order; `None` if there is no such section (NCONF_get_section).
pub(crate) fn section(conf: &ConfRef, section: &str) -> Option<Vec<(String, String)>> {
    let section = CString::new(section).ok()?;
    let _guard = QueueGuard::new();
    // SAFETY: `conf` is live, the name ends with a null byte.
    let stack = unsafe { ossl::NCONF_get_section(conf.as_ptr(), section.as_ptr()) };
    if stack.is_null() {
        return None;
    }
    // SAFETY: the stack lives as long as its configuration.
    let count = unsafe { sys::OPENSSL_sk_num(stack.cast()) };
    let mut pairs = Vec::new();
    for index in 0..count {
        // SAFETY: as above, and the index is in range.
        let entry = unsafe { sys::OPENSSL_sk_value(stack.cast(), index) };
        let entry = entry.cast::<ossl::CONF_VALUE>();
        // SAFETY: the stack's elements are valid CONF_VALUEs, which live as long as it.
        let entry = unsafe { &*entry };
        // SAFETY: a name is a string that lives as long as its configuration.
        let name = unsafe { text(entry.name) };
        // SAFETY: a value is a string that lives as long as its configuration.
        let value = unsafe { text(entry.value) };
        pairs.extend(name.zip(value));
    }
    Some(pairs)
}

/// A string of OpenSSL's.
///
/// # Safety
///
/// `pointer` must be null or a string that ends with a null byte and isn't changed during the call.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller says so.
    let text = unsafe { CStr::from_ptr(pointer) };
    Some(text.to_string_lossy().into_owned())
}

/// Makes an object identifier known by names (OBJ_create); one that is known already is left as it is.
pub(crate) fn create_object(oid: &str, short: &str, long: &str) -> Result<(), ErrorStack> {
    let words = [oid, short, long].map(CString::new);
    let [Ok(oid), Ok(short), Ok(long)] = words else {
        return Ok(());
    };
    // SAFETY: all three end with a null byte.
    let nid = unsafe { sys::OBJ_create(oid.as_ptr(), short.as_ptr(), long.as_ptr()) };
    cvt(nid).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_with_variables_replaced_and_in_order() {
        let conf = parse(b"top = 1\n[a]\ndir = /x\nfile = $dir/y\n[b]\nz=1\ny=2\n").unwrap();
        assert_eq!(value(&conf, "a", "file").as_deref(), Some("/x/y"));
        assert_eq!(value(&conf, "a", "top").as_deref(), Some("1"));
        assert_eq!(value(&conf, "a", "none"), None);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            section(&conf, "b"),
            Some(vec![pair("z", "1"), pair("y", "2")])
        );
        assert_eq!(section(&conf, "c"), None);
        assert_eq!(ErrorStack::get().errors().len(), 0);
    }

    #[test]
    fn a_wrong_line_is_told() {
        let error = parse(b"a = 1\n[x\n").err().unwrap();
        assert_eq!(error.line, 2);
    }
}
