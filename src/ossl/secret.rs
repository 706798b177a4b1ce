//! Bytes that are wiped when they are freed: passwords, private keys, and files that may hold them.
//!
//! OpenSSL's own `OPENSSL_cleanse` does the wiping, so no further crate is needed for it.

use std::fmt;
use std::ops::Deref;

use crate::ffi::ossl as ffi;

/// Secret bytes. They never grow in place, because growing would leave a copy behind.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// Takes over bytes; nothing is copied.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_owned())
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    #[doc(alias = "OPENSSL_cleanse")]
    fn drop(&mut self) {
        let len = self.0.capacity();
        let start = self.0.as_mut_ptr();
        // SAFETY: the vector owns `capacity` bytes from `start`, and nobody else can reach them during drop.
        unsafe { ffi::OPENSSL_cleanse(start.cast(), len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", Secret::from(&b"swordfish"[..])),
            "Secret(..)"
        );
    }
}
