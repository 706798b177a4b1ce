//! TLS for Tcl channels, and a PKI toolkit, over OpenSSL 3.
//!
//! The floors, of which each may use only those below it:
//!
//! ```text
//!  5  lib.rs        the entry symbols
//!  4  cmd/          words -> typed options -> domain call -> Tcl result
//!  3  channel/      the TLS machine, and the driver that hangs it under a Tcl channel
//!  2  context/ x509/ cms/ ca/ cmp/    domain: safe Rust, no Tcl
//!  1  tcl/  | ossl/     two safe layers, strangers to each other
//!  0  ffi/              raw names of Tcl and OpenSSL
//!  .  error, value, opts    pure ground, importable from everywhere
//! ```
//!
//! `tests/floors.rs` holds the code against this map.

use std::ffi::c_int;

mod ca;
mod channel;
mod cmd;
mod cmp;
mod cms;
mod context;
#[cfg(test)]
mod corpus;
mod error;
mod opts;
mod value;
mod x509;

#[expect(unsafe_code, reason = "floor 0 declares foreign functions")]
mod ffi;

#[expect(unsafe_code, reason = "floor 1 makes foreign functions safe")]
mod ossl;

#[expect(unsafe_code, reason = "floor 1 makes foreign functions safe")]
mod tcl;

/// What the targets in `fuzz/` call; in no other build there is such a thing.
#[cfg(fuzzing)]
pub mod fuzzing {
    /// Reads bytes as a cryptographic message, in all ways.
    pub fn cms_message(bytes: &[u8]) {
        crate::cmd::fuzzing::message(bytes);
    }

    /// Has the servers of the certificate management protocol answer bytes.
    pub fn cmp_server(bytes: &[u8]) {
        crate::cmd::cmp_fuzzing::server(bytes);
    }

    /// Reads bytes as a mail.
    pub fn cms_mime(bytes: &[u8]) {
        crate::cmd::fuzzing::mail(bytes);
    }
}

/// Tcl's `load` calls this in an interpreter that may use everything. Returns `TCL_OK` or `TCL_ERROR`.
///
/// There is no unload function on purpose: thread-local state and OpenSSL's exit handlers outlive a `dlclose`.
///
/// # Safety
///
/// `interp` must be a live interpreter of the calling thread.
#[expect(unsafe_code, reason = "the entry symbols are called by Tcl")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Tls_Init(interp: *mut tcl::RawInterp) -> c_int {
    // SAFETY: the caller says that the interpreter is alive.
    unsafe { tcl::entry(interp, cmd::register) }
}

/// Tcl's `load` calls this in a safe interpreter, whose commands don't reach files.
///
/// # Safety
///
/// `interp` must be a live interpreter of the calling thread.
#[expect(unsafe_code, reason = "the entry symbols are called by Tcl")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Tls_SafeInit(interp: *mut tcl::RawInterp) -> c_int {
    // SAFETY: the caller says that the interpreter is alive.
    unsafe { tcl::entry(interp, cmd::register) }
}
