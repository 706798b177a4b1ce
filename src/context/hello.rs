//! What a client says in its first message, read from the message itself: nothing of it has been acted upon.
//!
//! The parsing is pure; it takes any bytes without fear.

use openssl::ssl::SslRef;

use crate::ossl::ssl::client_hello_extension;

/// The number of the server-name extension.
const SERVER_NAME: u16 = 0;

/// A ClientHello while the server's hook looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientHello<'a> {
    /// The connection that received it.
    ssl: &'a SslRef,
}

impl<'a> ClientHello<'a> {
    /// The hello that a connection is about to process.
    pub(super) fn of(ssl: &'a SslRef) -> Self {
        Self { ssl }
    }

    /// The name of the server that the client wants to talk to.
    pub(crate) fn server_name(&self) -> Option<&'a [u8]> {
        self.extension(SERVER_NAME).and_then(host_name)
    }

    /// The legacy session id, empty if there is none.
    pub(crate) fn session_id(&self) -> &'a [u8] {
        self.ssl.client_hello_session_id().unwrap_or_default()
    }

    /// For tests: the cipher suites as two-byte numbers, one after the other.
    #[cfg(test)]
    pub(crate) fn ciphers(&self) -> &'a [u8] {
        self.ssl.client_hello_ciphers().unwrap_or_default()
    }

    /// The body of an extension.
    pub(crate) fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        client_hello_extension(self.ssl, kind)
    }
}

/// The host name in the body of a server-name extension.
fn host_name(body: &[u8]) -> Option<&[u8]> {
    let (list, _) = vector(body)?;
    let (kind, entry) = list.split_first()?;
    let (name, _) = vector(entry)?;
    (*kind == 0 && !name.is_empty()).then_some(name)
}

/// What a two-byte length announces, and what follows it.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_is_found() {
        assert_eq!(host_name(b"\0\x06\0\0\x03abc"), Some(&b"abc"[..]));
    }

    #[test]
    fn a_cut_or_odd_extension_has_no_name() {
        let whole = b"\0\x06\0\0\x03abc";
        for len in 0..whole.len() {
            assert_eq!(host_name(&whole[..len]), None);
        }
        assert_eq!(host_name(b"\0\x06\x01\0\x03abc"), None);
        assert_eq!(host_name(b"\0\x03\0\0\0"), None);
        assert_eq!(host_name(b"\0\x06\0\0\xffabc"), None);
    }
}
