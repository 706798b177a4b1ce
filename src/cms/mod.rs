//! Floor 2: cryptographic messages (CMS, S/MIME), one file per verb, each from a stream to a stream.
//!
//! Safe Rust; may use `ossl`, the openssl crate, `x509` and the pure ground; knows no Tcl.

#![forbid(unsafe_code)]

mod base64;
pub(crate) mod ber;
mod lines;
mod mime;
pub(crate) mod source;
