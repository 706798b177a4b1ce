//! Whom each end accepts.

use std::sync::Arc;

use super::fixtures::*;
use crate::context::{Connection, Context, Name, SecurityLevel, Settings, Source, Trust};
use crate::context::{Protocol, ProtocolSet};
use crate::error::Error;

/// A connection on which the client expects this name.
fn expecting(name: &str) -> Connection {
    let name = Some(Name::parse(name).unwrap());
    Connection {
        server_name: name.clone(),
        host: name,
        ..Connection::default()
    }
}

/// How a handshake ends for the client that expects a name.
fn client_outcome(client: &Context, server: &Context, name: &str) -> Outcome {
    let none = Connection::default();
    Pair::with(client, &expecting(name), server, &none)
        .shake()
        .0
}

#[test]
fn chain_and_name_are_verified() {
    let pki = pki();
    let server = context(&pki.server_settings()).unwrap();
    let client = context(&pki.client_settings()).unwrap();
    for name in ["server.test", "SERVER.test.", "127.0.0.1"] {
        assert_eq!(client_outcome(&client, &server, name), Ok(()), "{name}");
    }
    for (name, why) in [
        (
            "other.test",
            "certificate verify failed (hostname mismatch)",
        ),
        (
            "127.0.0.2",
            "certificate verify failed (IP address mismatch)",
        ),
    ] {
        let outcome = client_outcome(&client, &server, name).unwrap_err();
        assert_eq!(outcome.to_lowercase(), why.to_lowercase());
    }
}

#[test]
fn an_address_is_not_sent_as_name() {
    let pki = pki();
    let server = context(&pki.server_settings()).unwrap();
    let client = context(&pki.client_settings()).unwrap();
    let none = Connection::default();
    for (name, sent) in [("server.test", Some("server.test")), ("127.0.0.1", None)] {
        let mut pair = Pair::with(&client, &expecting(name), &server, &none);
        pair.talk();
        let ssl = pair.server.stream.ssl();
        assert_eq!(ssl.servername(openssl::ssl::NameType::HOST_NAME), sent);
    }
}

#[test]
fn the_trust_that_is_named_is_the_only_one() {
    let (pki, other) = (pki(), pki());
    let server = context(&pki.server_settings()).unwrap();
    let stranger = Settings {
        trust: trust(&other.root.pem()),
        ..pki.client_settings()
    };
    let system = Settings {
        trust: Trust::default(),
        ..pki.client_settings()
    };
    for settings in [stranger, system] {
        let client = context(&settings).unwrap();
        let outcome = client_outcome(&client, &server, "server.test").unwrap_err();
        assert!(
            outcome.starts_with("certificate verify failed"),
            "{outcome}"
        );
    }
    let cafile = [other.root.pem(), pki.root.pem()].concat();
    let both = Settings {
        trust: trust(&cafile),
        ..pki.client_settings()
    };
    let client = context(&both).unwrap();
    assert_eq!(client_outcome(&client, &server, "server.test"), Ok(()));
}

#[test]
fn a_named_certificate_is_trusted_even_if_it_is_no_root() {
    let pki = pki();
    let server = context(&pki.server_settings()).unwrap();
    for anchor in [&pki.intermediate, &pki.server] {
        let settings = Settings {
            trust: trust(&anchor.pem()),
            ..pki.client_settings()
        };
        let client = context(&settings).unwrap();
        assert_eq!(client_outcome(&client, &server, "server.test"), Ok(()));
        assert!(client_outcome(&client, &server, "other.test").is_err());
    }
}

#[test]
fn a_client_that_requires_nothing_learns_the_verdict() {
    let (pki, other) = (pki(), pki());
    let server = context(&pki.server_settings()).unwrap();
    let settings = Settings {
        trust: trust(&other.root.pem()),
        require: false,
        ..pki.client_settings()
    };
    let mut pair = Pair::of(&context(&settings).unwrap(), &server);
    pair.talk();
    let verdict = pair.client.stream.ssl().verify_result();
    assert_ne!(verdict, openssl::x509::X509VerifyResult::OK);
}

/// A server that asks for a certificate, and one that insists.
fn asking(pki: &Pki, require: bool) -> Arc<Context> {
    let settings = Settings {
        trust: trust(&pki.root.pem()),
        request: true,
        require,
        ..pki.server_settings()
    };
    context(&settings).unwrap()
}

#[test]
fn a_server_takes_certificates_of_clients() {
    let pki = pki();
    let with = Settings {
        identity: identity(&pki.bundle(&pki.client)),
        ..pki.client_settings()
    };
    let wrong_purpose = Settings {
        identity: identity(&pki.bundle(&pki.server)),
        ..pki.client_settings()
    };
    let without = pki.client_settings();
    let outcome = |client: &Settings, require: bool| {
        let mut pair = Pair::of(&context(client).unwrap(), &asking(&pki, require));
        let outcome = pair.shake().1;
        let shown = pair.server.stream.ssl().peer_certificate().is_some();
        (outcome, shown)
    };
    assert_eq!(outcome(&with, true), (Ok(()), true));
    assert_eq!(outcome(&with, false), (Ok(()), true));
    assert_eq!(outcome(&without, false), (Ok(()), false));
    let (refused, _) = outcome(&without, true);
    assert!(
        refused
            .unwrap_err()
            .starts_with("peer did not return a certificate")
    );
    let (refused, _) = outcome(&wrong_purpose, true);
    let refused = refused.unwrap_err();
    assert!(
        refused.starts_with("certificate verify failed"),
        "{refused}"
    );
}

#[test]
fn a_server_that_asks_tells_the_names_it_trusts() {
    let pki = pki();
    let seen = asking(&pki, true);
    assert!(!seen.raw().verify_mode().is_empty());
    let client = context(&pki.client_settings()).unwrap();
    let mut pair = Pair::of(&client, &seen);
    let _ = pair.shake();
    // The client's library keeps the names that it was sent.
    let names = crate::ossl::ssl_state::authorities(pair.client.stream.ssl()).unwrap();
    let names: Vec<_> = names.iter().map(|name| name.to_der().unwrap()).collect();
    assert_eq!(
        names,
        [pki.root.certificate.subject_name().to_der().unwrap()]
    );
}

/// The error of settings that must be refused.
fn refused(settings: &Settings) -> Error {
    match context(settings) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error,
    }
}

#[test]
fn trust_is_checked_at_once() {
    let pki = pki();
    let with = |trust: Trust| Settings {
        trust,
        ..pki.client_settings()
    };
    let message = |trust: Trust| refused(&with(trust)).message();
    assert_eq!(
        message(Trust::new(Source::file("-cafile", "/none"), None, None)),
        "unable to set CA certificate file /none: no such file or directory (option -cafile)"
    );
    assert_eq!(
        message(trust(&pki.server.key_pem())),
        "unable to set CA certificates: no certificate in it, only PRIVATE KEY (option -cafile)"
    );
    assert_eq!(
        message(Trust::new(None, Some("/none"), None)),
        "unable to set CA certificate folder /none: no such file or directory (option -cadir)"
    );
    assert!(
        message(Trust::new(None, None, Some("/none")))
            .starts_with("unable to set CA certificate store /none: ")
    );
    assert!(
        message(Trust::new(None, None, Some("nosuch:thing")))
            .starts_with("unable to set CA certificate store nosuch:thing: ")
    );
    let code = refused(&with(Trust::new(None, Some("/none"), None))).code();
    assert_eq!(
        code,
        ["TLS", "IMPORT", "TRUST", "FAILED", "-cadir", "/none"]
    );
    context(&with(Trust::new(None, Some(""), Some("")))).unwrap();
}

#[test]
fn folders_and_stores_are_trusted() {
    let pki = pki();
    let server = context(&pki.server_settings()).unwrap();
    let folder = std::env::temp_dir().join(format!("tls-trust-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let hash = pki.root.certificate.subject_name_hash();
    std::fs::write(folder.join(format!("{hash:08x}.0")), pki.root.pem()).unwrap();
    let text = folder.to_str().unwrap();
    let file = format!("file:{text}/{hash:08x}.0");
    for trust in [
        Trust::new(None, Some(text), None),
        Trust::new(None, None, Some(text)),
        Trust::new(None, None, Some(&file)),
    ] {
        let settings = Settings {
            trust,
            ..pki.client_settings()
        };
        let client = context(&settings).unwrap();
        assert_eq!(client_outcome(&client, &server, "server.test"), Ok(()));
    }
    let cut = [pki.root.pem(), pki.root.pem()[..100].to_vec()].concat();
    for (name, content, why) in [
        ("cut", &cut[..], "unsupported"),
        ("junk", b"hello", "no certificate in it"),
        ("empty", b"", "no certificate in it"),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, content).unwrap();
        let settings = Settings {
            trust: Trust::new(None, None, file.to_str()),
            ..pki.client_settings()
        };
        let message = refused(&settings).message();
        assert!(message.contains(why), "{message}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn protocols_and_levels_are_obeyed() {
    let pki = pki();
    let only = |protocol: Protocol| ProtocolSet::EMPTY.with(protocol, true);
    let server = |protocol: Protocol| Settings {
        protocols: only(protocol),
        ..pki.server_settings()
    };
    let client = context(&pki.client_settings()).unwrap();
    for (protocol, name) in [(Protocol::Tls1_2, "TLSv1.2"), (Protocol::Tls1_3, "TLSv1.3")] {
        let mut pair = Pair::of(&client, &context(&server(protocol)).unwrap());
        pair.talk();
        assert_eq!(pair.client.stream.ssl().version_str(), name);
    }
    let error = refused(&server(Protocol::Tls1_1));
    assert!(error.message().starts_with("no valid protocol selected: "));
    let weak = |settings: Settings| Settings {
        security_level: Some(SecurityLevel::new(0).unwrap()),
        protocols: only(Protocol::Tls1_1),
        ..settings
    };
    let (client, server) = (
        context(&weak(pki.client_settings())).unwrap(),
        context(&weak(pki.server_settings())).unwrap(),
    );
    let mut pair = Pair::of(&client, &server);
    pair.talk();
    assert_eq!(pair.client.stream.ssl().version_str(), "TLSv1.1");
    for level in [-1, 6] {
        assert!(SecurityLevel::new(level).is_err());
    }
}

#[test]
fn bad_ciphers_and_parameters_are_refused() {
    let pki = pki();
    let error = refused(&Settings {
        cipher: Some("NOPE".to_owned()),
        ..pki.client_settings()
    });
    assert_eq!(
        error.message(),
        "Set ciphers failed: No valid ciphers (option -cipher)"
    );
    let error = refused(&Settings {
        dhparams: Source::file("-dhparams", "-----BEGIN CERTIFICATE-----\n"),
        ..pki.server_settings()
    });
    assert_eq!(
        error.message(),
        "Could not read DH parameters: no DH parameters in it, only CERTIFICATE (option -dhparams)"
    );
}
