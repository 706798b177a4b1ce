//! Floor 2: certificates, requests, revocation lists and keys: what they say, how they are read and written.
//!
//! Safe Rust without Tcl: may use `ossl/`, the openssl crate and the pure ground. Results are plain data.

#![forbid(unsafe_code)]

use std::fmt;

pub(crate) mod chain;
pub(crate) mod der;
pub(crate) mod describe;
pub(crate) mod extension_values;
pub(crate) mod extensions;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod frame;
pub(crate) mod load;
pub(crate) mod make;
pub(crate) mod name;
pub(crate) mod oid;
pub(crate) mod pem;
pub(crate) mod time;
pub(crate) mod verify;

/// Why something couldn't be read or made, as a sentence; the caller knows the option and the command's error words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The sentence.
    message: String,
    /// The option that is to blame, where it is known here.
    option: Option<&'static str>,
}

impl Problem {
    /// A problem described by a sentence, or a part of one.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            option: None,
        }
    }

    /// The same with the option that is to blame.
    pub(crate) fn with(self, option: &'static str) -> Self {
        Self {
            option: Some(option),
            ..self
        }
    }

    /// The option that is to blame, where it is known.
    pub(crate) fn option(&self) -> Option<&'static str> {
        self.option
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
