//! Session tickets under keys of our own, so that several servers can take each other's.
//!
//! A ticket is what RFC 5077 recommends: the key's name, an initialisation vector, the session in AES-CBC, and an
//! HMAC-SHA256 over all of it. OpenSSL does that; the callback here only says with which key.

use foreign_types::ForeignTypeRef;
use libc::{c_int, c_uchar};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::rand::rand_bytes;
use openssl::ssl::{SslContext, SslContextBuilder, SslRef};
use openssl_sys as sys;

use once_cell::sync::OnceCell;

use super::secret::Secret;
use crate::ffi::{self as floor, ossl as ffi};

/// The length of a key's name.
const NAME: usize = 16;

/// The length of an initialisation vector of AES.
const VECTOR: usize = 16;

/// A key, laid out as in the key files of web servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TicketKey(Secret);

impl TicketKey {
    /// A key out of 48 bytes (name, AES-128, HMAC: 16 each) or 80 (name 16, HMAC 32, AES-256 32).
    pub(crate) fn new(bytes: Secret) -> Option<Self> {
        matches!(bytes.len(), 48 | 80).then_some(Self(bytes))
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name, which stands in the ticket.
    fn name(&self) -> &[u8] {
        &self.0[..NAME]
    }

    /// The key of the cipher, and that of the code.
    fn secrets(&self) -> (&[u8], &[u8]) {
        match self.0.len() {
            48 => (&self.0[16..32], &self.0[32..]),
            _ => (&self.0[48..], &self.0[16..48]),
        }
    }
}

/// The slot of a context in which its keys lie.
fn slot() -> Result<Index<SslContext, Vec<TicketKey>>, ErrorStack> {
    static SLOT: OnceCell<Index<SslContext, Vec<TicketKey>>> = OnceCell::new();
    SLOT.get_or_try_init(SslContext::new_ex_index).copied()
}

/// Has a server issue tickets under the first key, and take those under any.
#[doc(alias = "SSL_CTX_set_tlsext_ticket_key_evp_cb")]
pub(crate) fn set_ticket_keys(
    context: &mut SslContextBuilder,
    keys: Vec<TicketKey>,
) -> Result<(), ErrorStack> {
    context.set_ex_data(slot()?, keys);
    // SAFETY: the context is alive, and the function has the type that OpenSSL asks for and needs no data.
    unsafe { ffi::SSL_CTX_set_tlsext_ticket_key_evp_cb(context.as_ptr(), Some(choose)) };
    Ok(())
}

/// OpenSSL is about to make a ticket (`making` is 1) or to open one. 1: the key is set; 2: the same, and the client is
/// to get a new ticket; 0: there is no such key; less: a failure.
unsafe extern "C" fn choose(
    ssl: *mut sys::SSL,
    name: *mut c_uchar,
    vector: *mut c_uchar,
    cipher: *mut sys::EVP_CIPHER_CTX,
    mac: *mut ffi::EVP_MAC_CTX,
    making: c_int,
) -> c_int {
    // SAFETY: OpenSSL passes the connection that the ticket is for, alive during the call.
    let ssl = unsafe { SslRef::from_ptr(ssl) };
    let keys = slot().ok().and_then(|slot| ssl.ssl_context().ex_data(slot));
    let Some(keys) = keys else { return 0 };
    // SAFETY: OpenSSL passes room for, or the bytes of, a name of this length, to us alone.
    let name = unsafe { floor::bytes_mut(name.cast(), NAME) };
    // SAFETY: the same for the vector; OpenSSL has room for the longest there is.
    let vector = unsafe { floor::bytes_mut(vector.cast(), VECTOR) };
    let making = making == 1;
    let found = match making {
        true => keys.first().map(|key| (0, key)),
        false => keys.iter().enumerate().find(|(_, key)| key.name() == name),
    };
    let Some((index, key)) = found else { return 0 };
    if making {
        name.copy_from_slice(key.name());
        if rand_bytes(vector).is_err() {
            return -1;
        }
    }
    let (cipher_key, mac_key) = key.secrets();
    let kind = match cipher_key.len() {
        // SAFETY: returns a static.
        16 => unsafe { sys::EVP_aes_128_cbc() },
        // SAFETY: returns a static.
        _ => unsafe { sys::EVP_aes_256_cbc() },
    };
    // SAFETY: OpenSSL passes a context of its own; key and vector have the lengths that the cipher wants.
    let ciphering = unsafe {
        sys::EVP_CipherInit_ex(
            cipher,
            kind,
            std::ptr::null_mut(),
            cipher_key.as_ptr(),
            vector.as_ptr(),
            c_int::from(making),
        )
    };
    // SAFETY: OpenSSL passes a context of its own, for HMAC; the key has the length that is given.
    let authenticating = unsafe {
        ffi::tls_EVP_MAC_init_digest(mac, mac_key.as_ptr(), mac_key.len(), c"SHA256".as_ptr())
    };
    match (ciphering, authenticating, index) {
        (1, 1, 0) => 1,
        (1, 1, _) => 2,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_of_two_lengths() {
        for (len, good) in [(48, true), (80, true), (0, false), (47, false), (81, false)] {
            assert_eq!(
                TicketKey::new(Secret::new(vec![7; len])).is_some(),
                good,
                "{len}"
            );
        }
    }

    #[test]
    fn the_parts_of_a_key_are_those_of_key_files() {
        let bytes: Vec<u8> = (0..80).collect();
        let short = TicketKey::new(Secret::from(&bytes[..48])).unwrap();
        assert_eq!(short.secrets(), (&bytes[16..32], &bytes[32..48]));
        let long = TicketKey::new(Secret::from(&bytes[..])).unwrap();
        assert_eq!(long.secrets(), (&bytes[48..], &bytes[16..48]));
        assert_eq!(long.name(), &bytes[..16]);
    }
}
