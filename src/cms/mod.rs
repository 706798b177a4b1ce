//! Floor 2: cryptographic messages (CMS, S/MIME), one file per verb, each from a stream to a stream.
//!
//! Safe Rust; may use `ossl`, the openssl crate, `x509` and the pure ground; knows no Tcl.

#![forbid(unsafe_code)]

pub(crate) mod ber;
