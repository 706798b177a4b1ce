//! A memory BIO, for OpenSSL functions that print or write into one.

use std::ptr::NonNull;

use libc::{c_char, c_long, c_void};
use openssl::error::ErrorStack;
use openssl_sys::BIO;

use super::error::{cvt_p, stack as queued};
use crate::ffi;

/// The command of `BIO_get_mem_data`.
const BIO_CTRL_INFO: i32 = 3;

/// A BIO that keeps in memory what is written to it.
#[derive(Debug)]
pub(crate) struct MemBio(NonNull<BIO>);

impl MemBio {
    /// An empty one. `BIO_new`
    pub(crate) fn new() -> Result<Self, ErrorStack> {
        // SAFETY: the method is a constant of the library.
        let method = unsafe { openssl_sys::BIO_s_mem() };
        // SAFETY: the method is valid, as just obtained.
        let bio = cvt_p(unsafe { openssl_sys::BIO_new(method) })?;
        NonNull::new(bio).map(Self).ok_or_else(queued)
    }

    /// The raw pointer, valid as long as this value lives.
    pub(crate) fn as_ptr(&self) -> *mut BIO {
        self.0.as_ptr()
    }

    /// What was written so far. `BIO_get_mem_data`
    pub(crate) fn contents(&self) -> &[u8] {
        let mut data: *mut c_char = std::ptr::null_mut();
        let out: *mut *mut c_char = &raw mut data;
        // SAFETY: the BIO is ours and a memory BIO, and `out` can take the pointer that this command stores.
        let length: c_long =
            unsafe { openssl_sys::BIO_ctrl(self.as_ptr(), BIO_CTRL_INFO, 0, out.cast::<c_void>()) };
        let length = usize::try_from(length).unwrap_or(0);
        // SAFETY: the BIO holds `length` bytes at `data`, which stay in place while it is borrowed.
        unsafe { ffi::bytes(data.cast::<c_void>(), length) }
    }
}

impl Drop for MemBio {
    fn drop(&mut self) {
        // SAFETY: the BIO is ours, and nobody uses it any more.
        unsafe { openssl_sys::BIO_free_all(self.as_ptr()) };
    }
}
