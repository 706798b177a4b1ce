//! The records of real connections, between two threads over a pair of sockets.

use std::os::unix::net::UnixStream;
use std::thread;

use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    AlpnError, Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;

use super::*;
use crate::x509::fixtures;

/// The keys of the connection part of `tls::status` in all dialects, and those added.
const STATUS: &str = "peername verifyResult verification verificationresult verifyCode verifyName verifyMode verifyDepth \
    sbits cipher alpn protocol group signatureHashAlgorithm signature_hash signatureType signature_type signatureScheme \
    peerchain chain ca_names";

/// The keys of `tls::connection` in all dialects, and those added.
const CONNECTION: &str = "init_finished state servername alpn protocol renegotiation_allowed renegotiation \
    security_level securitylevel session_reused is_server is_dtls is_quic is_tls dane_auth waiting_for_async time-out \
    ct_enabled group cipher standard_name openssl_name secret_bits algorithm_bits bits min_version cipherNID digestNID \
    keyExchangeNID authenticationNID cipher_is_aead handshake_digest cipher_id id protocol_id description resumable \
    start_time timeout session_id session_context session_ticket ticket_app_data lifetime master_key session \
    compression_id compression expansion session_cache_mode caList caListCount";

/// Both ends of a connection after the handshake.
struct Pair {
    /// The client's end.
    client: SslStream<UnixStream>,
    /// The server's end.
    server: SslStream<UnixStream>,
}

/// A context with a certificate from a new authority that it trusts.
fn context(subject: &str, root: &X509, root_key: &PKey<Private>) -> SslContextBuilder {
    let key = fixtures::key();
    let certificate = fixtures::certificate(subject, &key, Some((root, root_key)), false);
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(root.clone()).unwrap();
    let mut builder = SslContext::builder(SslMethod::tls()).unwrap();
    builder.set_certificate(&certificate).unwrap();
    builder.set_private_key(&key).unwrap();
    builder.add_extra_chain_cert(root.clone()).unwrap();
    builder.set_cert_store(store.build());
    builder
}

/// Connects a client and a server; the client asks for `localhost`, and both have certificates.
fn connect(version: SslVersion) -> Pair {
    let root_key = fixtures::key();
    let root = fixtures::certificate("/O=Root, Inc./CN=root", &root_key, None, true);
    let mut client = context("/CN=client", &root, &root_key);
    client.set_alpn_protos(b"\x02h2\x08http/1.1").unwrap();
    client.set_verify(SslVerifyMode::PEER);
    client.set_max_proto_version(Some(version)).unwrap();
    let mut server = context("/CN=server", &root, &root_key);
    server.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    server.set_session_id_context(b"test").unwrap();
    server.add_client_ca(&root).unwrap();
    server.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(b"\x02h2", offered).ok_or(AlpnError::NOACK)
    });
    let (near, far) = UnixStream::pair().unwrap();
    let server = server.build();
    let far = thread::spawn(move || {
        let mut stream = SslStream::new(Ssl::new(&server).unwrap(), far).unwrap();
        stream.accept().unwrap();
        stream.ssl_write(b"x").unwrap();
        stream
    });
    let mut ssl = Ssl::new(&client.build()).unwrap();
    ssl.set_hostname("localhost").unwrap();
    ssl.param_mut().set_host("localhost").unwrap();
    let mut client = SslStream::new(ssl, near).unwrap();
    assert!(status(client.ssl(), false).is_empty());
    client.connect().unwrap();
    // The tickets of TLS 1.3 come with the first byte.
    client.ssl_read(&mut [0]).unwrap();
    let server = far.join().unwrap();
    Pair { client, server }
}

/// What a key of a record is, as text.
fn shown(record: &Record, key: &str) -> String {
    match record.value(key) {
        Some(Value::Str(text)) => text.clone(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Some(Value::List(items)) => {
            let text = |item: &Value| match item {
                Value::Str(text) => text.clone(),
                Value::Record(record) => shown(record, "subject"),
                other => panic!("{key} holds {other:?}"),
            };
            items.iter().map(text).collect::<Vec<_>>().join("|")
        }
        other => panic!("{key} is {other:?}"),
    }
}

/// Checks some keys.
fn expect(record: &Record, cases: &[(&str, &str)]) {
    for (key, expected) in cases {
        assert_eq!(shown(record, key), *expected, "{key}");
    }
}

#[test]
fn the_status_of_both_ends_in_tls_1_3() {
    let pair = connect(SslVersion::TLS1_3);
    let record = status(pair.client.ssl(), false);
    for key in STATUS.split_whitespace() {
        assert!(record.value(key).is_some(), "{key} is missing");
    }
    let cases = [
        ("subject", "CN=server"),
        ("version", "3"),
        ("peername", "localhost"),
        ("verifyResult", "ok"),
        ("verifyCode", "0"),
        ("verifyName", "OK"),
        ("verifyMode", "peer"),
        ("verifyDepth", "-1"),
        ("sbits", "256"),
        ("cipher", "TLS_AES_256_GCM_SHA384"),
        ("alpn", "h2"),
        ("protocol", "TLSv1.3"),
        ("signatureHashAlgorithm", "sha256"),
        ("signatureType", "id-ecPublicKey"),
        ("signatureScheme", "ecdsa_secp256r1_sha256"),
        ("peerchain", r"CN=server|CN=root,O=Root\, Inc."),
        ("chain", r"CN=server|CN=root,O=Root\, Inc."),
        ("ca_names", r"CN=root,O=Root\, Inc."),
    ];
    expect(&record, &cases);
    assert!(
        shown(&record, "group")
            .to_ascii_lowercase()
            .contains("x25519")
    );
    let local = status(pair.client.ssl(), true);
    let cases = [
        ("subject", "CN=client"),
        ("signatureType", "id-ecPublicKey"),
        ("peerchain", r"CN=server|CN=root,O=Root\, Inc."),
    ];
    expect(&local, &cases);
    let server = status(pair.server.ssl(), false);
    let cases = [
        ("subject", "CN=client"),
        ("verifyMode", "peer|fail if no peer cert"),
        ("peerchain", r"CN=client|CN=root,O=Root\, Inc."),
        ("chain", r"CN=client|CN=root,O=Root\, Inc."),
        ("peername", ""),
    ];
    expect(&server, &cases);
    expect(
        &status(pair.server.ssl(), true),
        &[("subject", "CN=server")],
    );
}

#[test]
fn the_connection_of_both_ends_in_tls_1_3() {
    let pair = connect(SslVersion::TLS1_3);
    for record in [connection(pair.client.ssl()), connection(pair.server.ssl())] {
        for key in CONNECTION.split_whitespace() {
            assert!(record.value(key).is_some(), "{key} is missing");
        }
        assert_eq!(record.iter().count(), CONNECTION.split_whitespace().count());
        let cases = [
            ("init_finished", "true"),
            ("state", "SSL negotiation finished successfully"),
            ("servername", "localhost"),
            ("alpn", "h2"),
            ("protocol", "TLSv1.3"),
            ("session_reused", "false"),
            ("is_dtls", "false"),
            ("is_tls", "true"),
            ("dane_auth", "false"),
            ("waiting_for_async", "false"),
            ("time-out", "7200"),
            ("ct_enabled", "false"),
            ("cipher", "TLS_AES_256_GCM_SHA384"),
            ("standard_name", "TLS_AES_256_GCM_SHA384"),
            ("secret_bits", "256"),
            ("bits", "256"),
            ("min_version", "TLSv1.3"),
            ("cipherNID", "aes-256-gcm"),
            ("keyExchangeNID", "kx-any"),
            ("authenticationNID", "auth-any"),
            ("digestNID", "undefined"),
            ("cipher_is_aead", "true"),
            ("handshake_digest", "SHA384"),
            ("protocol_id", "4866"),
            ("cipher_id", "50336514"),
            ("compression", "none"),
            ("expansion", "none"),
            ("compression_id", "none"),
            ("master_key", "48 bytes"),
            ("caList", "/O=Root, Inc./CN=root"),
            ("caListCount", "1"),
        ];
        expect(&record, &cases);
        assert!(shown(&record, "description").ends_with('\n'));
    }
    let client = connection(pair.client.ssl());
    expect(&client, &[("is_server", "false"), ("resumable", "true")]);
    assert_ne!(shown(&client, "session_ticket"), "0 bytes");
    let server = connection(pair.server.ssl());
    expect(
        &server,
        &[
            ("is_server", "true"),
            ("session_cache_mode", "server"),
            ("session_context", "4 bytes"),
        ],
    );
}

#[test]
fn both_records_in_tls_1_2() {
    let pair = connect(SslVersion::TLS1_2);
    let cases = [
        ("protocol", "TLSv1.2"),
        ("cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("signatureType", "id-ecPublicKey"),
        ("alpn", "h2"),
    ];
    expect(&status(pair.client.ssl(), false), &cases);
    let cases = [
        ("protocol", "TLSv1.2"),
        ("standard_name", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("keyExchangeNID", "kx-ecdhe"),
        ("renegotiation_allowed", "true"),
        ("renegotiation", "allowed"),
    ];
    expect(&connection(pair.server.ssl()), &cases);
    let client = connection(pair.client.ssl());
    expect(
        &client,
        &[("session_id", "32 bytes"), ("resumable", "true")],
    );
}

#[test]
fn a_failed_verification_gives_its_name_and_no_verified_chain() {
    let key = fixtures::key();
    let certificate = fixtures::certificate("/CN=alone", &key, None, false);
    let mut server = SslContext::builder(SslMethod::tls()).unwrap();
    server.set_certificate(&certificate).unwrap();
    server.set_private_key(&key).unwrap();
    let server = server.build();
    let (near, far) = UnixStream::pair().unwrap();
    let far = thread::spawn(move || {
        let mut stream = SslStream::new(Ssl::new(&server).unwrap(), far).unwrap();
        stream.accept().unwrap();
        stream
    });
    let client = SslContext::builder(SslMethod::tls()).unwrap().build();
    let mut client = SslStream::new(Ssl::new(&client).unwrap(), near).unwrap();
    client.connect().unwrap();
    let server = far.join().unwrap();
    let record = status(client.ssl(), false);
    let cases = [
        ("verifyCode", "18"),
        ("verifyName", "DEPTH_ZERO_SELF_SIGNED_CERT"),
        ("verifyMode", ""),
        ("chain", ""),
        ("peerchain", "CN=alone"),
        ("ca_names", ""),
    ];
    expect(&record, &cases);
    let nobody = status(server.ssl(), false);
    expect(
        &nobody,
        &[("cipher", "TLS_AES_256_GCM_SHA384"), ("peerchain", "")],
    );
    assert!(nobody.value("subject").is_none());
    // Without an answer to a request for certificates there is no list of authorities.
    expect(
        &connection(client.ssl()),
        &[("caListCount", "-1"), ("caList", "")],
    );
}

#[test]
fn before_the_handshake_there_is_little() {
    let mut builder = SslContext::builder(SslMethod::tls()).unwrap();
    builder.set_session_cache_mode(openssl::ssl::SslSessionCacheMode::BOTH);
    let ssl = Ssl::new(&builder.build()).unwrap();
    assert!(status(&ssl, false).is_empty());
    assert!(status(&ssl, true).is_empty());
    let record = connection(&ssl);
    let cases = [
        ("init_finished", "false"),
        ("state", "before SSL initialization"),
        ("session_cache_mode", "both"),
        ("servername", ""),
        ("group", ""),
    ];
    expect(&record, &cases);
    assert!(record.value("cipher").is_none());
    assert!(record.value("session_id").is_none());
}

#[test]
fn signature_schemes_have_their_registered_names() {
    let named = |kind, digest| scheme(Signature { digest, kind }, None, "TLSv1.3");
    assert_eq!(named(Nid::RSASSAPSS, Nid::SHA512), "rsa_pss_rsae_sha512");
    assert_eq!(named(Nid::RSAENCRYPTION, Nid::SHA1), "rsa_pkcs1_sha1");
    assert_eq!(
        named(Nid::X9_62_ID_ECPUBLICKEY, Nid::SHA384),
        "ecdsa_secp384r1_sha384"
    );
    assert_eq!(named(Nid::X9_62_ID_ECPUBLICKEY, Nid::SHA1), "ecdsa_sha1");
    assert_eq!(named(Nid::from_raw(1087), Nid::UNDEF), "ed25519");
}
