//! What a connection can tell: the records of `tls::status` and `tls::connection`.
//!
//! No Tcl here: the records are plain data. One record has the keys of all the dialects of TclTLS. Where they differ:
//!
//! * `version` in the status is the certificate's, as in 1.8 and 2.0, and missing without a certificate; the protocol
//!   stands at `protocol`.
//! * `bits` in the connection is the cipher's, as the 1.8 manual says.
//! * `renegotiation` is `allowed` or `disallowed`, as the 1.8 manual says; `renegotiation_allowed` is the boolean.
//! * `compression` and `expansion` are `none` as in 2.0; the code of 1.8 said `NONE`.
//! * `time-out` is the protocol's default for sessions, `timeout` that of this session.
//! * `dane_auth` is true only if a TLSA record vouched for the peer, and `session_cache_mode` is one of `off`,
//!   `client`, `server` and `both`.
//! * With `-local` the certificate's keys, `signatureHashAlgorithm`, `signatureType` and `signatureScheme` are those of
//!   this side; everything else stays the peer's, as in 2.0.
//!
//! `master_key` and `session` are secrets: who has them can read the connection or go on with the session. They are
//! there because scripts resume sessions with them, and must not be logged.

use openssl::nid::Nid;
use openssl::pkey::{Id, PKeyRef, Public};
use openssl::ssl::{NameType, SslCipherRef, SslRef, SslSessionRef};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use crate::ossl::error::QueueGuard;
use crate::ossl::ssl_state::{self, Signature};
use crate::value::{Record, Value};
use crate::x509::{describe, name, verify};

/// The `SSL_VERIFY_` bits and their words.
const VERIFY_MODES: [(i32, &str); 4] = [
    (1, "peer"),
    (2, "fail if no peer cert"),
    (4, "client once"),
    (8, "post handshake"),
];

/// The record of `tls::status`; empty as long as the handshake isn't done.
pub(crate) fn status(ssl: &SslRef, local: bool) -> Record {
    let _queue = QueueGuard::new();
    let mut record = Record::new();
    if !ssl.is_init_finished() {
        return record;
    }
    let peer = ssl.peer_certificate();
    let certificate = match local {
        true => ssl.certificate(),
        false => peer.as_deref(),
    };
    let mut described = Described::default();
    if let Some(certificate) = certificate {
        record = described.summary(certificate);
        record.put("all", describe::dump(certificate));
    }
    trust(&mut record, ssl);
    handshake(&mut record, ssl, local, certificate);
    chains(&mut record, ssl, peer.as_deref(), &mut described);
    record
}

/// The records of certificates that were described already: the same one mostly stands in both chains.
#[derive(Default)]
struct Described(Vec<(Vec<u8>, Record)>);

impl Described {
    /// A certificate's record.
    fn summary(&mut self, certificate: &X509Ref) -> Record {
        let der = certificate.to_der().unwrap_or_default();
        if let Some((_, record)) = self.0.iter().find(|(known, _)| *known == der) {
            return record.clone();
        }
        let record = describe::summary(certificate);
        self.0.push((der, record.clone()));
        record
    }

    /// The records of several.
    fn summaries<'a>(&mut self, certificates: impl Iterator<Item = &'a X509Ref>) -> Vec<Value> {
        let records = certificates.map(|certificate| self.summary(certificate));
        records.map(Value::Record).collect()
    }
}

/// The record of `tls::connection`; before the handshake it has fewer keys.
pub(crate) fn connection(ssl: &SslRef) -> Record {
    let _queue = QueueGuard::new();
    let mut record = Record::new();
    general(&mut record, ssl);
    if let Some(cipher) = ssl.current_cipher() {
        self::cipher(&mut record, cipher);
    }
    if let Some(session) = ssl.session() {
        self::session(&mut record, session);
    }
    let (compression, expansion) = ssl_state::compression(ssl);
    record.put("compression", compression);
    record.put("expansion", expansion);
    let modes = ["off", "client", "server", "both"];
    let mode = usize::try_from(ssl_state::session_cache_mode(ssl) & 3).unwrap_or(0);
    record.put(
        "session_cache_mode",
        modes.get(mode).copied().unwrap_or_default(),
    );
    authorities(&mut record, ssl);
    record
}

/// Whether and how the peer was verified.
fn trust(record: &mut Record, ssl: &SslRef) {
    let result = ssl.verify_result();
    record.put("peername", ssl_state::peer_name(ssl));
    for key in ["verifyResult", "verification", "verificationresult"] {
        record.put(key, result.error_string());
    }
    record.put("verifyCode", result.as_raw());
    record.put("verifyName", verify::name(result.as_raw()).as_ref());
    let mode = ssl_state::verify_mode(ssl);
    let words = VERIFY_MODES.iter().filter(|(bit, _)| mode & bit != 0);
    record.put(
        "verifyMode",
        words
            .map(|(_, word)| (*word).to_owned())
            .collect::<Vec<_>>(),
    );
    record.put("verifyDepth", ssl_state::verify_depth(ssl));
}

/// What the handshake agreed on.
fn handshake(record: &mut Record, ssl: &SslRef, local: bool, certificate: Option<&X509Ref>) {
    let cipher = ssl.current_cipher();
    record.put(
        "sbits",
        cipher
            .map(|cipher| cipher.bits().secret)
            .unwrap_or_default(),
    );
    record.put("cipher", cipher.map(SslCipherRef::name).unwrap_or("(NONE)"));
    record.put("alpn", alpn(ssl));
    record.put("protocol", ssl.version_str());
    record.put("group", ssl_state::group(ssl));
    let signature = ssl_state::signature(ssl, !local);
    let digest = signature.map(|signature| long_name(signature.digest));
    let kind = signature.map(|signature| long_name(signature.kind));
    record.put("signatureHashAlgorithm", digest.unwrap_or("undefined"));
    record.put("signature_hash", digest.unwrap_or("undefined"));
    record.put("signatureType", kind.unwrap_or("undefined"));
    record.put("signature_type", kind.unwrap_or("undefined"));
    let key = certificate.and_then(|certificate| certificate.public_key().ok());
    let scheme = signature.map(|signature| scheme(signature, key.as_deref(), ssl.version_str()));
    record.put("signatureScheme", scheme.unwrap_or_default());
}

/// The certificates of the peer: those that it sent, and those up to a trusted one that were verified.
///
/// Each is a record as [`describe::summary`] makes it.
fn chains(record: &mut Record, ssl: &SslRef, peer: Option<&X509Ref>, described: &mut Described) {
    // A client's list begins with the server's own certificate, a server's comes without the client's.
    let own = peer.filter(|_| ssl.is_server());
    let sent = own.into_iter().chain(certificates(ssl.peer_cert_chain()));
    record.put("peerchain", described.summaries(sent));
    let is_verified = ssl.verify_result() == X509VerifyResult::OK && peer.is_some();
    let verified = ssl.verified_chain().filter(|_| is_verified);
    let chain = described.summaries(certificates(verified));
    record.put("chain", chain);
    let authorities = certificates(verified).skip(1);
    let names = authorities.map(|certificate| name::rfc_2253(certificate.subject_name()));
    record.put("ca_names", names.collect::<Vec<_>>());
}

/// The certificates of a list that may be missing.
fn certificates(list: Option<&StackRef<X509>>) -> impl Iterator<Item = &X509Ref> {
    list.into_iter().flatten()
}

/// What the connection is, and what it may do.
fn general(record: &mut Record, ssl: &SslRef) {
    let secure = ssl_state::renegotiation_is_secure(ssl);
    let level = ssl.security_level();
    let servername = ssl.servername_raw(NameType::HOST_NAME).unwrap_or_default();
    record.put("init_finished", ssl.is_init_finished());
    record.put("state", ssl.state_string_long());
    record.put("servername", String::from_utf8_lossy(servername).as_ref());
    record.put("alpn", alpn(ssl));
    record.put("protocol", ssl.version_str());
    record.put("renegotiation_allowed", secure);
    record.put(
        "renegotiation",
        if secure { "allowed" } else { "disallowed" },
    );
    record.put("security_level", level);
    record.put("securitylevel", level);
    record.put("session_reused", ssl.session_reused());
    record.put("is_server", ssl.is_server());
    let dtls = ssl_state::is_dtls(ssl);
    record.put("is_dtls", dtls);
    // Channels carry streams, and a stream under QUIC isn't one that this package makes.
    record.put("is_quic", false);
    record.put("is_tls", !dtls);
    record.put("dane_auth", ssl_state::dane_vouched(ssl));
    record.put("waiting_for_async", ssl_state::waits_for_async(ssl));
    record.put("time-out", ssl_state::default_timeout(ssl));
    record.put("ct_enabled", ssl_state::transparency_is_checked(ssl));
    record.put("group", ssl_state::group(ssl));
}

/// The cipher.
fn cipher(record: &mut Record, cipher: &SslCipherRef) {
    let bits = cipher.bits();
    let (exchange, authentication) = ssl_state::key_exchange(cipher);
    let digest = cipher.handshake_digest().map(|digest| digest.type_());
    let id = ssl_state::cipher_id(cipher);
    record.put("cipher", cipher.name());
    record.put("standard_name", cipher.standard_name().unwrap_or_default());
    record.put("openssl_name", cipher.name());
    record.put("secret_bits", bits.secret);
    record.put("algorithm_bits", bits.algorithm);
    record.put("bits", bits.algorithm);
    record.put("min_version", cipher.version());
    record.put(
        "cipherNID",
        long_name(cipher.cipher_nid().unwrap_or(Nid::UNDEF)),
    );
    record.put("digestNID", long_name(ssl_state::record_digest(cipher)));
    record.put("keyExchangeNID", long_name(exchange));
    record.put("authenticationNID", long_name(authentication));
    record.put("cipher_is_aead", ssl_state::is_aead(cipher));
    let digest = digest.and_then(|digest| digest.short_name().ok());
    record.put("handshake_digest", digest.unwrap_or_default());
    record.put("cipher_id", id);
    record.put("id", id);
    record.put(
        "protocol_id",
        i32::from(u16::from_be_bytes(cipher.protocol_id())),
    );
    record.put("description", cipher.description());
}

/// The session.
fn session(record: &mut Record, session: &SslSessionRef) {
    let mut key = vec![0; session.master_key_len()];
    let len = session.master_key(&mut key);
    key.truncate(len);
    record.put("resumable", ssl_state::is_resumable(session));
    record.put("start_time", session.time());
    record.put("timeout", session.timeout());
    record.put("session_id", session.id());
    record.put("session_context", ssl_state::session_context(session));
    record.put("session_ticket", ssl_state::ticket(session));
    record.put("ticket_app_data", ssl_state::ticket_data(session));
    record.put("lifetime", ssl_state::ticket_lifetime(session));
    record.put("master_key", key);
    record.put("session", session.to_der().unwrap_or_default());
    let compression = match ssl_state::compression_id(session) {
        0 => "none",
        1 => "zlib",
        _ => "unknown",
    };
    record.put("compression_id", compression);
}

/// The names of the authorities that the server offers to accept; the count is -1 if there is no list, as in 2.0.
fn authorities(record: &mut Record, ssl: &SslRef) {
    let list = ssl_state::authorities(ssl);
    let names: Vec<String> = list.into_iter().flatten().map(name::oneline).collect();
    let count = list.map_or(Ok(-1), |list| i64::try_from(list.len()));
    record.put("caList", names);
    record.put("caListCount", count.unwrap_or(i64::MAX));
}

/// The protocol that ALPN chose; empty if none.
fn alpn(ssl: &SslRef) -> String {
    let chosen = ssl.selected_alpn_protocol().unwrap_or_default();
    String::from_utf8_lossy(chosen).into_owned()
}

/// OpenSSL's long name of a number, `undefined` for none.
fn long_name(nid: Nid) -> &'static str {
    nid.long_name().unwrap_or("undefined")
}

/// The name of a signature scheme as the protocol's registry has it, e.g. `rsa_pss_rsae_sha256`.
///
/// OpenSSL tells kind and digest apart, and only since 3.5 the name; what isn't listed there is named after the kind.
fn scheme(signature: Signature, key: Option<&PKeyRef<Public>>, protocol: &str) -> String {
    let digest = long_name(signature.digest).to_ascii_lowercase();
    match signature.kind {
        Nid::RSAENCRYPTION => format!("rsa_pkcs1_{digest}"),
        Nid::RSASSAPSS if key.is_some_and(|key| key.id() == Id::RSA_PSS) => {
            format!("rsa_pss_pss_{digest}")
        }
        Nid::RSASSAPSS => format!("rsa_pss_rsae_{digest}"),
        Nid::DSA => format!("dsa_{digest}"),
        Nid::X9_62_ID_ECPUBLICKEY => elliptic(&digest, key, protocol),
        kind => long_name(kind).to_ascii_lowercase().replace('-', ""),
    }
}

/// The name of a scheme on an elliptic curve. The registry's names hold a curve, though before TLS 1.3 the key may be on
/// any.
fn elliptic(digest: &str, key: Option<&PKeyRef<Public>>, protocol: &str) -> String {
    let curve = key
        .and_then(|key| key.ec_key().ok()?.group().curve_name())
        .and_then(|curve| curve.long_name().ok())
        .filter(|curve| curve.starts_with("brainpool") && protocol == "TLSv1.3");
    match (curve, digest) {
        (Some(curve), _) => format!("ecdsa_{}tls13_{digest}", curve.trim_end_matches("tls13")),
        (None, "sha256") => "ecdsa_secp256r1_sha256".to_owned(),
        (None, "sha384") => "ecdsa_secp384r1_sha384".to_owned(),
        (None, "sha512") => "ecdsa_secp521r1_sha512".to_owned(),
        (None, _) => format!("ecdsa_{digest}"),
    }
}

#[cfg(test)]
mod tests;
