//! Floor 2: the certificate management protocol: a client's transactions, and the servers that answer them.
//!
//! Safe Rust without Tcl: may use `ossl/`, `x509/`, the openssl crate and the pure ground. Messages are carried by
//! whoever calls: see [`wire`].

#![forbid(unsafe_code)]

pub(crate) mod answers;
pub(crate) mod body;
pub(crate) mod client;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod general;
pub(crate) mod header;
pub(crate) mod mock;
pub(crate) mod names;
pub(crate) mod outcome;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod status;
pub(crate) mod url;
pub(crate) mod wire;
