//! Floor 2: a certificate authority on the files of `openssl ca`, which several programs can use at once.
//!
//! Safe Rust without Tcl: may use `x509`, `ossl/`, the openssl crate and the pure ground. Only [`disk`] touches files.

#![forbid(unsafe_code)]

pub(crate) mod ask;
pub(crate) mod authority;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod copying;
pub(crate) mod create;
pub(crate) mod crl;
pub(crate) mod delta;
pub(crate) mod disk;
mod encode;
pub(crate) mod folder;
pub(crate) mod index;
pub(crate) mod issue;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod newkey;
pub(crate) mod ocsp;
mod parallel;
mod policy;
pub(crate) mod rebuild;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod row;
pub(crate) mod serial;
mod side;
pub(crate) mod store;
pub(crate) mod transfer;
pub(crate) mod watch;
