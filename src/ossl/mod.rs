//! Floor 1: what the openssl crate lacks, in its idiom, so that it could be sent upstream.
//!
//! A stranger to Tcl. May use `ffi::ossl`, openssl-sys, the openssl crate and the pure ground.

pub(crate) mod alert;
pub(crate) mod bio;
pub(crate) mod chain;
pub(crate) mod cmp;
pub(crate) mod cmp_exchange;
pub(crate) mod cmp_message;
pub(crate) mod cmp_notes;
pub(crate) mod cmp_server;
pub(crate) mod cms;
pub(crate) mod conf;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod keygen;
pub(crate) mod library;
pub(crate) mod pkcs12;
pub(crate) mod print;
pub(crate) mod secret;
pub(crate) mod sign;
pub(crate) mod spkac;
pub(crate) mod ssl;
pub(crate) mod ssl_state;
pub(crate) mod store;
pub(crate) mod ticket;
pub(crate) mod trace;
pub(crate) mod undecoded;
pub(crate) mod x509;
pub(crate) mod x509_draft;
pub(crate) mod x509_name;
pub(crate) mod x509_store;
pub(crate) mod x509v3;
