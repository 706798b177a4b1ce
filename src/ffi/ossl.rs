//! OpenSSL functions that openssl-sys doesn't declare, generated from the installed headers by `build.rs`.
//!
//! The types are those of openssl-sys wherever it has them.

#![allow(
    clippy::all,
    clippy::missing_docs_in_private_items,
    clippy::multiple_unsafe_ops_per_block,
    clippy::ptr_as_ptr,
    clippy::undocumented_unsafe_blocks,
    clippy::use_self,
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code: which lints it meets depends on the installed headers"
)]

use openssl_sys::*;

include!(concat!(env!("OUT_DIR"), "/openssl.rs"));
