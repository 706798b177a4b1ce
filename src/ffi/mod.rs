//! Floor 0: the raw names of Tcl and OpenSSL, and nothing else.
//!
//! Declarations, slot calls and the two null-tolerant slice helpers stand here; policy doesn't. Names are C's.

pub(crate) mod ossl;
pub(crate) mod tcl;

use libc::c_void;

/// The `len` bytes at `pointer`; a null pointer with length 0 is an empty slice.
///
/// # Safety
///
/// Unless `len` is 0, `pointer` must be valid for reads of `len` bytes for the lifetime the caller picks.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that the lint points to"
)]
pub(crate) unsafe fn bytes<'a>(pointer: *const c_void, len: usize) -> &'a [u8] {
    match len {
        0 => &[],
        // SAFETY: the caller says that `len` bytes can be read at `pointer`.
        _ => unsafe { std::slice::from_raw_parts(pointer.cast(), len) },
    }
}

/// The `len` writable bytes at `pointer`; a null pointer with length 0 is an empty slice.
///
/// # Safety
///
/// Unless `len` is 0, `pointer` must be valid for reads and writes of `len` bytes, and nobody else may use them.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that the lint points to"
)]
pub(crate) unsafe fn bytes_mut<'a>(pointer: *mut c_void, len: usize) -> &'a mut [u8] {
    match len {
        0 => &mut [],
        // SAFETY: the caller says that `len` bytes at `pointer` are the callee's alone.
        _ => unsafe { std::slice::from_raw_parts_mut(pointer.cast(), len) },
    }
}
