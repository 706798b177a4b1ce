//! What a TLS connection and its session can tell, beyond what the openssl crate asks them for.

use std::ffi::CStr;
use std::ptr;

use foreign_types::ForeignTypeRef;
use libc::{c_char, c_int, c_long};
use openssl::nid::Nid;
use openssl::ssl::{SslCipherRef, SslRef, SslSessionRef};
use openssl::stack::StackRef;
use openssl::x509::X509Name;

use crate::ffi;
use crate::ffi::ossl;

/// Text of OpenSSL's that lives as long as the connection, as a copy; empty if there is none.
///
/// # Safety
///
/// `text` must be null, or end with a null byte and stay as it is during the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller says that the text ends with a null byte and stays.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// The name in the peer's certificate that matched the one that was asked for (SSL_get0_peername).
pub(crate) fn peer_name(ssl: &SslRef) -> String {
    // SAFETY: the connection lives as long as its reference; the parameter isn't changed.
    let name = unsafe { ossl::SSL_get0_peername(ssl.as_ptr()) };
    // SAFETY: the name belongs to the connection, which isn't used meanwhile.
    unsafe { text(name) }
}

/// How the peer's certificate is asked for, `SSL_VERIFY_` bits (SSL_get_verify_mode).
///
/// The openssl crate has a function for it that panics at bits it doesn't know.
pub(crate) fn verify_mode(ssl: &SslRef) -> c_int {
    // SAFETY: the connection lives as long as its reference.
    unsafe { openssl_sys::SSL_get_verify_mode(ssl.as_ptr()) }
}

/// How long a chain may be, -1 for OpenSSL's own limit (SSL_get_verify_depth).
pub(crate) fn verify_depth(ssl: &SslRef) -> c_int {
    // SAFETY: the connection lives as long as its reference.
    unsafe { ossl::SSL_get_verify_depth(ssl.as_ptr()) }
}

/// How one side signed the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The digest; undefined if the algorithm has none apart.
    pub(crate) digest: Nid,
    /// The kind of signature.
    pub(crate) kind: Nid,
}

/// How this side or the peer signed the handshake (SSL_get_signature_nid, SSL_get_peer_signature_nid and their type).
pub(crate) fn signature(ssl: &SslRef, peer: bool) -> Option<Signature> {
    let (digest_of, kind_of): (
        unsafe extern "C" fn(_, _) -> _,
        unsafe extern "C" fn(_, _) -> _,
    ) = match peer {
        true => (
            ossl::tls_SSL_get_peer_signature_nid,
            ossl::SSL_get_peer_signature_type_nid,
        ),
        false => (
            ossl::tls_SSL_get_signature_nid,
            ossl::SSL_get_signature_type_nid,
        ),
    };
    let (mut digest, mut kind): (c_int, c_int) = (0, 0);
    // SAFETY: the connection lives as long as its reference, `kind` is a place for an int.
    let known: c_int = unsafe { kind_of(ssl.as_ptr(), &raw mut kind) };
    if known != 1 {
        return None;
    }
    // SAFETY: as above, for `digest`.
    let known: c_int = unsafe { digest_of(ssl.as_ptr(), &raw mut digest) };
    Some(Signature {
        digest: Nid::from_raw(if known == 1 { digest } else { 0 }),
        kind: Nid::from_raw(kind),
    })
}

/// The group of the key exchange, e.g. `x25519`; empty if none was used (SSL_get_negotiated_group).
pub(crate) fn group(ssl: &SslRef) -> String {
    // OpenSSL looks into the session without asking whether there is one.
    if ssl.session().is_none() {
        return String::new();
    }
    // SAFETY: the connection lives as long as its reference, and it has a session.
    let id = unsafe { ossl::tls_SSL_get_negotiated_group(ssl.as_ptr()) };
    if id == 0 {
        return String::new();
    }
    // SAFETY: as above; an unknown number gives null.
    let name = unsafe { ossl::SSL_group_to_name(ssl.as_ptr(), id) };
    // SAFETY: the name stands in a table of the connection's context.
    unsafe { text(name) }
}

/// Whether both sides can renegotiate securely (SSL_get_secure_renegotiation_support).
pub(crate) fn renegotiation_is_secure(ssl: &SslRef) -> bool {
    // SAFETY: the connection lives as long as its reference.
    (unsafe { ossl::tls_SSL_get_secure_renegotiation_support(ssl.as_ptr()) }) != 0
}

/// Whether it is DTLS (SSL_is_dtls).
pub(crate) fn is_dtls(ssl: &SslRef) -> bool {
    // SAFETY: the connection lives as long as its reference.
    (unsafe { ossl::SSL_is_dtls(ssl.as_ptr()) }) == 1
}

/// Whether a TLSA record of DANE vouched for the peer (SSL_get0_dane_authority).
pub(crate) fn dane_vouched(ssl: &SslRef) -> bool {
    let null = ptr::null_mut();
    // SAFETY: the connection lives as long as its reference; results that aren't wanted may be null.
    (unsafe { ossl::SSL_get0_dane_authority(ssl.as_ptr(), null, null.cast()) }) >= 0
}

/// Whether an engine or provider is busy in the background for this connection (SSL_waiting_for_async).
pub(crate) fn waits_for_async(ssl: &SslRef) -> bool {
    // SAFETY: the connection lives as long as its reference.
    (unsafe { ossl::SSL_waiting_for_async(ssl.as_ptr()) }) == 1
}

/// How many seconds a session of this protocol lasts if nobody says otherwise (SSL_get_default_timeout).
pub(crate) fn default_timeout(ssl: &SslRef) -> c_long {
    // SAFETY: the connection lives as long as its reference.
    unsafe { ossl::SSL_get_default_timeout(ssl.as_ptr()) }
}

/// Whether certificate transparency is checked (SSL_ct_is_enabled).
pub(crate) fn transparency_is_checked(ssl: &SslRef) -> bool {
    // SAFETY: the connection lives as long as its reference.
    (unsafe { ossl::SSL_ct_is_enabled(ssl.as_ptr()) }) == 1
}

/// The compression of what is sent and of what is received, `none` for none (SSL_get_current_compression).
pub(crate) fn compression(ssl: &SslRef) -> (String, String) {
    // SAFETY: the connection lives as long as its reference.
    let sent = unsafe { ossl::SSL_get_current_compression(ssl.as_ptr()) };
    // SAFETY: as above.
    let received = unsafe { ossl::SSL_get_current_expansion(ssl.as_ptr()) };
    let name = |method: *const ossl::COMP_METHOD| {
        if method.is_null() {
            return "none".to_owned();
        }
        // SAFETY: `method` belongs to a static table of OpenSSL.
        let name = unsafe { ossl::SSL_COMP_get_name(method) };
        // SAFETY: so does its name.
        unsafe { text(name) }
    };
    (name(sent), name(received))
}

/// The sides for which sessions are remembered, bit 1 for client and bit 2 for server (SSL_CTX_get_session_cache_mode).
pub(crate) fn session_cache_mode(ssl: &SslRef) -> c_int {
    let context = ssl.ssl_context().as_ptr();
    // SAFETY: the connection keeps its context alive.
    unsafe { ossl::tls_SSL_CTX_get_session_cache_mode(context) }
}

/// The names of authorities that the peer sent, or on a server those it sends (SSL_get0_peer_CA_list and
/// SSL_get_client_CA_list); `None` if there is no list.
pub(crate) fn authorities(ssl: &SslRef) -> Option<&StackRef<X509Name>> {
    // SAFETY: the connection lives as long as its reference. A client gets the list that the server sent.
    let list = unsafe { ossl::SSL_get_client_CA_list(ssl.as_ptr()) };
    if list.is_null() {
        return None;
    }
    // SAFETY: the stack belongs to the connection or its context, and neither changes while `ssl` is borrowed.
    Some(unsafe { StackRef::from_ptr(list) })
}

/// How a cipher exchanges keys, and how it authenticates (SSL_CIPHER_get_kx_nid, SSL_CIPHER_get_auth_nid).
pub(crate) fn key_exchange(cipher: &SslCipherRef) -> (Nid, Nid) {
    // SAFETY: ciphers stand in a static table of OpenSSL.
    let exchange = unsafe { ossl::SSL_CIPHER_get_kx_nid(cipher.as_ptr()) };
    // SAFETY: as above.
    let authentication = unsafe { ossl::SSL_CIPHER_get_auth_nid(cipher.as_ptr()) };
    (Nid::from_raw(exchange), Nid::from_raw(authentication))
}

/// The digest that a cipher uses for its records (SSL_CIPHER_get_digest_nid).
pub(crate) fn record_digest(cipher: &SslCipherRef) -> Nid {
    // SAFETY: ciphers stand in a static table of OpenSSL.
    Nid::from_raw(unsafe { ossl::SSL_CIPHER_get_digest_nid(cipher.as_ptr()) })
}

/// Whether a cipher encrypts and authenticates in one (SSL_CIPHER_is_aead).
pub(crate) fn is_aead(cipher: &SslCipherRef) -> bool {
    // SAFETY: ciphers stand in a static table of OpenSSL.
    (unsafe { ossl::SSL_CIPHER_is_aead(cipher.as_ptr()) }) == 1
}

/// OpenSSL's number of a cipher (SSL_CIPHER_get_id).
pub(crate) fn cipher_id(cipher: &SslCipherRef) -> u32 {
    // SAFETY: ciphers stand in a static table of OpenSSL.
    unsafe { ossl::SSL_CIPHER_get_id(cipher.as_ptr()) }
}

/// Whether a later connection can go on with a session (SSL_SESSION_is_resumable).
pub(crate) fn is_resumable(session: &SslSessionRef) -> bool {
    // SAFETY: the session lives as long as its reference.
    (unsafe { ossl::SSL_SESSION_is_resumable(session.as_ptr()) }) == 1
}

/// The name of the application that a session belongs to (SSL_SESSION_get0_id_context).
pub(crate) fn session_context(session: &SslSessionRef) -> &[u8] {
    let mut len = 0;
    // SAFETY: the session lives as long as its reference, `len` is a place for an unsigned int.
    let start = unsafe { ossl::SSL_SESSION_get0_id_context(session.as_ptr(), &raw mut len) };
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: the session holds `len` bytes at `start`, and lives as long as the slice.
    unsafe { ffi::bytes(start.cast(), len) }
}

/// The ticket with which a later connection can go on with a session (SSL_SESSION_get0_ticket).
pub(crate) fn ticket(session: &SslSessionRef) -> &[u8] {
    let (mut start, mut len) = (ptr::null(), 0);
    // SAFETY: the session lives as long as its reference, and both results have their places.
    unsafe { ossl::SSL_SESSION_get0_ticket(session.as_ptr(), &raw mut start, &raw mut len) };
    // SAFETY: the session holds `len` bytes at `start`, and lives as long as the slice.
    unsafe { ffi::bytes(start.cast(), if start.is_null() { 0 } else { len }) }
}

/// What the server's application put into the ticket (SSL_SESSION_get0_ticket_appdata).
pub(crate) fn ticket_data(session: &SslSessionRef) -> &[u8] {
    let (mut start, mut len) = (ptr::null_mut(), 0);
    // SAFETY: the session lives as long as its reference, and both results have their places.
    let known = unsafe {
        ossl::SSL_SESSION_get0_ticket_appdata(session.as_ptr(), &raw mut start, &raw mut len)
    };
    let len = if known == 1 && !start.is_null() {
        len
    } else {
        0
    };
    // SAFETY: the session holds `len` bytes at `start`, and lives as long as the slice.
    unsafe { ffi::bytes(start, len) }
}

/// How many seconds the server suggests to keep the ticket (SSL_SESSION_get_ticket_lifetime_hint).
pub(crate) fn ticket_lifetime(session: &SslSessionRef) -> i64 {
    // SAFETY: the session lives as long as its reference.
    let hint = unsafe { ossl::SSL_SESSION_get_ticket_lifetime_hint(session.as_ptr()) };
    i64::try_from(hint).unwrap_or(i64::MAX)
}

/// The number of a session's compression method, 0 for none (SSL_SESSION_get_compress_id).
pub(crate) fn compression_id(session: &SslSessionRef) -> u32 {
    // SAFETY: the session lives as long as its reference.
    unsafe { ossl::SSL_SESSION_get_compress_id(session.as_ptr()) }
}
