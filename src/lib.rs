//! TLS for Tcl channels, and a PKI toolkit, over OpenSSL 3.
//!
//! The floors, of which each may use only those below it:
//!
//! ```text
//!  5  lib.rs        the entry symbols
//!  4  cmd/          words -> typed options -> domain call -> Tcl result
//!  3  channel/      the TLS machine, and the driver that hangs it under a Tcl channel
//!  2  context/ x509/    domain: safe Rust, no Tcl
//!  1  tcl/  | ossl/     two safe layers, strangers to each other
//!  0  ffi/              raw names of Tcl and OpenSSL
//!  .  error, value, opts    pure ground, importable from everywhere
//! ```
//!
//! `tests/floors.rs` holds the code against this map.

mod ca;
mod error;
mod opts;
mod value;

#[expect(unsafe_code, reason = "floor 0 declares foreign functions")]
mod ffi;

#[expect(unsafe_code, reason = "floor 1 makes foreign functions safe")]
mod ossl;

#[expect(unsafe_code, reason = "floor 1 makes foreign functions safe")]
mod tcl;

mod x509;
