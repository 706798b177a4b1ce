//! The properties that the algorithms of messages must have, for as long as a call works on some.

use std::cell::RefCell;
use std::ffi::CString;
use std::ptr;

use libc::c_char;

thread_local! {
    /// What messages are made with in this thread.
    static CURRENT: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Has messages that are made or read in this thread want algorithms with some properties, until it goes.
#[must_use]
pub(crate) struct Properties(Option<CString>);

impl Properties {
    /// Wants these properties, or any.
    pub(crate) fn wanted(properties: Option<CString>) -> Self {
        Self(CURRENT.replace(properties))
    }
}

impl Drop for Properties {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

/// Gives the properties that are wanted, null for any, to a function that copies them.
pub(super) fn with<T>(make: impl FnOnce(*const c_char) -> T) -> T {
    let properties = CURRENT.with_borrow(Clone::clone);
    make(
        properties
            .as_ref()
            .map_or(ptr::null(), |text| text.as_ptr()),
    )
}
