//! OpenSSL's configuration files: sections of names and values, with its variables and its `.include`.

use std::ffi::{CStr, CString};
use std::ptr;

use libc::{c_char, c_int, c_long};
use openssl_sys as sys;

use super::error::{QueueGuard, queue};
use crate::error::OpenSslEntry;
use crate::ffi::ossl;

/// A configuration that was loaded.
#[derive(Debug)]
pub(crate) struct Conf(*mut ossl::CONF);

// SAFETY: a configuration belongs to no thread.
unsafe impl Send for Conf {}

// SAFETY: nothing changes the tables of a configuration once `load` has returned, and OpenSSL looks up in such tables
// from many threads at once itself, under locks for readers.
unsafe impl Sync for Conf {}

impl Drop for Conf {
    #[doc(alias = "NCONF_free")]
    fn drop(&mut self) {
        // SAFETY: the pointer came from NCONF_new and is freed only here.
        unsafe { ossl::NCONF_free(self.0) };
    }
}

/// Why a configuration can't be loaded.
#[derive(Debug)]
pub(crate) struct LoadError {
    /// The line of the fault, counted from 1, if it is the content's.
    pub(crate) line: Option<c_long>,
    /// What OpenSSL says.
    pub(crate) entries: Vec<OpenSslEntry>,
}

impl Conf {
    /// Reads a configuration (NCONF_load_bio). Files that it includes are native ones.
    pub(crate) fn load(content: &[u8]) -> Result<Self, LoadError> {
        let failed = || LoadError {
            line: None,
            entries: queue(),
        };
        let len = c_int::try_from(content.len()).map_err(|_| failed())?;
        // SAFETY: the default method table is static, and asked for by null.
        let conf = unsafe { ossl::NCONF_new(ptr::null_mut()) };
        if conf.is_null() {
            return Err(failed());
        }
        let conf = Self(conf);
        // SAFETY: `len` bytes can be read at `content`, which outlives the BIO.
        let bio = unsafe { sys::BIO_new_mem_buf(content.as_ptr().cast(), len) };
        if bio.is_null() {
            return Err(failed());
        }
        let mut line: c_long = -1;
        // SAFETY: both are alive, and `line` is a place for a long.
        let loaded = unsafe { ossl::NCONF_load_bio(conf.as_ptr(), bio, &raw mut line) };
        // SAFETY: the BIO came from BIO_new_mem_buf, and nobody uses it any more.
        unsafe { sys::BIO_free_all(bio) };
        if loaded > 0 {
            return Ok(conf);
        }
        Err(LoadError {
            line: (line > 0).then_some(line),
            entries: queue(),
        })
    }

    /// The pointer, for this floor alone; it lives as long as `self`.
    pub(super) fn as_ptr(&self) -> *mut ossl::CONF {
        self.0
    }

    /// The names and values of a section in their order; `None` if there is no such section (NCONF_get_section).
    pub(crate) fn section(&self, name: &str) -> Option<Vec<(String, String)>> {
        let _queue = QueueGuard::new();
        let name = CString::new(name).ok()?;
        // SAFETY: the configuration lives as long as `self`, `name` ends with a null byte.
        let values = unsafe { ossl::NCONF_get_section(self.as_ptr(), name.as_ptr()) };
        if values.is_null() {
            return None;
        }
        let pairs = items(values.cast()).map(|item| {
            let item: *const ossl::CONF_VALUE = item.cast();
            // SAFETY: the stack holds values that belong to the configuration, which isn't changed.
            let item = unsafe { &*item };
            (copied(item.name), copied(item.value))
        });
        Some(pairs.collect())
    }

    /// The value of a name in a section, or else in the section `default`; without a section, only in the latter
    /// (NCONF_get_string).
    pub(crate) fn value(&self, section: Option<&str>, name: &str) -> Option<String> {
        let _queue = QueueGuard::new();
        let section = section.map(CString::new).transpose().ok()?;
        let name = CString::new(name).ok()?;
        let section = section
            .as_ref()
            .map_or(ptr::null(), |section| section.as_ptr());
        // SAFETY: the configuration lives as long as `self`; both texts end with a null byte and outlive the
        // call, or are null where that is allowed.
        let value = unsafe { ossl::NCONF_get_string(self.as_ptr(), section, name.as_ptr()) };
        (!value.is_null()).then(|| copied(value))
    }
}

/// The items of a stack; none if it is null.
fn items(stack: *const sys::OPENSSL_STACK) -> impl Iterator<Item = *mut libc::c_void> {
    // SAFETY: `stack` is null or a live stack, by the two callers above; null has -1 items.
    let count = unsafe { sys::OPENSSL_sk_num(stack) };
    // SAFETY: the index is one that the stack has.
    (0..count).map(move |index| unsafe { sys::OPENSSL_sk_value(stack, index) })
}

/// A copy of a text that belongs to the configuration; empty for null.
fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: names and values end with a null byte, and live as long as the configuration that the caller borrows.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// Makes an object identifier known by names (OBJ_create); one that is known already is left as it is.
pub(crate) fn create_object(oid: &str, short: &str, long: &str) -> Result<(), Vec<OpenSslEntry>> {
    let words = [oid, short, long].map(CString::new);
    let [Ok(oid), Ok(short), Ok(long)] = words else {
        return Ok(());
    };
    // SAFETY: all three end with a null byte.
    let nid = unsafe { sys::OBJ_create(oid.as_ptr(), short.as_ptr(), long.as_ptr()) };
    match nid {
        0 => Err(queue()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_values_are_found() {
        let conf = Conf::load(b"a = 1\n[ x ]\nb = $a # note\nc = \"two words\"\n[y]\n").unwrap();
        assert!(conf.section("y").is_some_and(|values| values.is_empty()));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            conf.section("x").unwrap(),
            [pair("b", "1"), pair("c", "two words")]
        );
        assert_eq!(conf.section("y").unwrap(), []);
        assert_eq!(conf.section("z"), None);
        assert_eq!(conf.value(Some("x"), "b").as_deref(), Some("1"));
        assert_eq!(conf.value(Some("x"), "a").as_deref(), Some("1"));
        assert_eq!(conf.value(None, "a").as_deref(), Some("1"));
        assert_eq!(conf.value(None, "b"), None);
        assert_eq!(conf.value(Some("x\0"), "b"), None);
        assert!(queue().is_empty());
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let error = Conf::load(b"a = 1\nb = 2\n[ x\n").err().unwrap();
        assert_eq!(error.line, Some(3));
        assert!(!error.entries.is_empty());
        assert!(Conf::load(b"").unwrap().section("x").is_none());
        assert!(Conf::load(&[0xff; 1000]).is_err());
    }
}
