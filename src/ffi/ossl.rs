//! OpenSSL functions that openssl-sys doesn't declare, generated from the installed headers by `build.rs`.
//!
//! The types are those of openssl-sys wherever it has them.

#![expect(
    clippy::missing_docs_in_private_items,
    clippy::ptr_as_ptr,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]

use openssl_sys::*;

include!(concat!(env!("OUT_DIR"), "/openssl.rs"));
