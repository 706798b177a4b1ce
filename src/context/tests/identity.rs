//! Certificates and keys of every kind, good and bad.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::symm::Cipher;

use super::fixtures::*;
use crate::context::{Context, Identity, PasswordOwner, Secret, Settings, Source};
use crate::error::{Error, Reason, Result};

/// A server with certificate and key from memory.
fn server(certificate: &[u8], key: Option<&[u8]>) -> Settings {
    let certificate = Source::bytes("-cert", Secret::from(certificate));
    let key = key.and_then(|key| Source::bytes("-key", Secret::from(key)));
    Settings {
        server: true,
        identity: Identity::new(certificate, key).unwrap(),
        ..Settings::default()
    }
}

/// The error of what must fail.
fn refused(result: Result<std::sync::Arc<Context>>) -> Error {
    match result {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error,
    }
}

#[test]
fn every_form_of_certificate_and_key_is_taken() {
    let pki = pki();
    let party = &pki.server;
    let certificates = [
        party.pem(),
        party.certificate.to_der().unwrap(),
        [b"Subject: server\n".to_vec(), party.pem()].concat(),
    ];
    let keys = [
        party.key_pem(),
        party.key.private_key_to_pkcs8().unwrap(),
        party.key.private_key_to_der().unwrap(),
        party.key.ec_key().unwrap().private_key_to_pem().unwrap(),
        [party.pem(), party.key_pem()].concat(),
    ];
    for certificate in &certificates {
        for key in &keys {
            context(&server(certificate, Some(key))).unwrap();
        }
    }
}

#[test]
fn a_key_of_rsa_is_taken_in_its_old_form() {
    let rsa = Rsa::generate(2048).unwrap();
    let key = PKey::from_rsa(rsa.clone()).unwrap();
    let certificate = certify(key, "rsa", Role::Server, None).pem();
    for key in [
        rsa.private_key_to_pem().unwrap(),
        rsa.private_key_to_der().unwrap(),
    ] {
        context(&server(&certificate, Some(&key))).unwrap();
    }
}

#[test]
fn the_whole_chain_is_sent() {
    let pki = pki();
    let der = |party: &Party| party.certificate.to_der().unwrap();
    let chains = [
        [pki.server.pem(), pki.intermediate.pem()].concat(),
        [der(&pki.server), der(&pki.intermediate)].concat(),
    ];
    for chain in chains {
        let server = context(&server(&chain, Some(&pki.server.key_pem()))).unwrap();
        let client = context(&pki.client_settings()).unwrap();
        let mut pair = Pair::of(&client, &server);
        pair.talk();
        let sent = pair.client.stream.ssl().peer_cert_chain().unwrap();
        assert_eq!(sent.len(), 2);
    }
}

#[test]
fn encrypted_keys_ask_for_the_password() {
    let pki = pki();
    let key = &pki.server.key;
    let cipher = Cipher::aes_256_cbc();
    let encrypted = [
        key.private_key_to_pem_pkcs8_passphrase(cipher, b"swordfish")
            .unwrap(),
        key.private_key_to_pkcs8_passphrase(cipher, b"swordfish")
            .unwrap(),
        key.ec_key()
            .unwrap()
            .private_key_to_pem_passphrase(cipher, b"swordfish")
            .unwrap(),
    ];
    for (index, key) in encrypted.iter().enumerate() {
        let settings = server(&pki.server.pem(), Some(key));
        let owner = PasswordOwner::new(index as u64, "script");

        let error = refused(context(&settings));
        assert_eq!(error.code(), ["TLS", "PASSWORD", "FAILED", "-key"]);

        let (wrong, _) = context_with_password(&settings, "hunter2", owner);
        let error = refused(wrong);
        assert_eq!(error.code()[..4], ["TLS", "IMPORT", "KEY", "FAILED"]);
        assert!(error.message().starts_with("unable to set public key: "));
        assert!(
            error.message().contains("bad decrypt"),
            "{}",
            error.message()
        );
        assert!(!error.message().contains("hunter2"));

        let (long, _) = context_with_password(&settings, &"x".repeat(1025), owner);
        assert!(refused(long).message().contains("the password is too long"));

        let (first, asked) = context_with_password(&settings, "swordfish", owner);
        assert_eq!((first.is_ok(), asked), (true, 1));
    }
}

#[test]
fn what_cannot_be_used_is_named_with_its_option() {
    let pki = pki();
    let other = party("other", Role::Server, None);
    let (certificate, key) = (pki.server.pem(), pki.server.key_pem());
    let cases: [(&[u8], &[u8], &str); 8] = [
        (
            &key,
            &key,
            "unable to set certificate: no certificate in it, only PRIVATE KEY (option -cert)",
        ),
        (
            b"hello",
            &key,
            "unable to set certificate: it is neither PEM nor DER (option -cert)",
        ),
        (
            &certificate[..100],
            &key,
            "unable to set certificate: bad end line (option -cert)",
        ),
        (
            &certificate,
            &certificate,
            "unable to set public key: no private key in it, only CERTIFICATE (option -key)",
        ),
        (
            &certificate,
            b"hello",
            "unable to set public key: it is neither PEM nor DER (option -key)",
        ),
        (
            &certificate,
            b"\x30\x03\x02\x01\x00",
            "unable to set public key: ",
        ),
        (&certificate, &key[..100], "unable to set public key: "),
        (
            &certificate,
            &other.key_pem(),
            "private key does not match the certificate public key (option -key)",
        ),
    ];
    for (certificate, key, message) in cases {
        let error = refused(context(&server(certificate, Some(key))));
        assert!(error.message().starts_with(message), "{}", error.message());
    }
}

#[test]
fn one_without_the_other_is_refused() {
    let pki = pki();
    let error = refused(context(&server(&pki.server.pem(), None)));
    assert_eq!(
        error.message(),
        "unable to set public key: no private key in it, only CERTIFICATE (option -cert)"
    );
    let key = Source::bytes("-key", Secret::from(&pki.server.key_pem()[..]));
    let error = Identity::new(None, key).unwrap_err();
    assert_eq!(error.code(), ["TLS", "IMPORT", "KEY", "FAILED", "-key"]);
}

#[test]
fn files_are_named_in_errors() {
    let pki = pki();
    let files = Memory::default();
    files.write("empty.pem", stamp(1), b"");
    files.write("good.pem", stamp(2), &pki.bundle(&pki.server));
    files.write(
        "other.pem",
        stamp(3),
        &party("x", Role::Server, None).key_pem(),
    );
    let settings = |certificate: &str, key: &str| Settings {
        server: true,
        identity: Identity::new(
            Source::file("-certfile", certificate),
            Source::file("-keyfile", key),
        )
        .unwrap(),
        ..Settings::default()
    };
    let missing = refused(context_from(&settings("none.pem", ""), &files));
    assert_eq!(
        missing.message(),
        "unable to set certificate file none.pem: no such file or directory (option -certfile)"
    );
    assert_eq!(
        missing.code(),
        ["POSIX", "ENOENT", "no such file or directory"]
    );

    let empty = refused(context_from(&settings("empty.pem", ""), &files));
    assert_eq!(
        empty.message(),
        "unable to set certificate file empty.pem: it is empty (option -certfile)"
    );
    assert_eq!(
        empty.code(),
        [
            "TLS",
            "IMPORT",
            "CERTIFICATE",
            "FAILED",
            "-certfile",
            "empty.pem"
        ]
    );

    let empty = refused(context_from(&settings("good.pem", "empty.pem"), &files));
    assert_eq!(
        empty.message(),
        "unable to set public key file empty.pem it is empty (option -keyfile)"
    );
    let other = refused(context_from(&settings("good.pem", "other.pem"), &files));
    assert_eq!(
        other.message(),
        "private key does not match the certificate public key (option -keyfile, file other.pem)"
    );
    context_from(&settings("good.pem", ""), &files).unwrap();
}

#[test]
fn text_in_place_of_a_file_name_is_content() {
    let pki = pki();
    let text = String::from_utf8(pki.bundle(&pki.server)).unwrap();
    let settings = Settings {
        server: true,
        identity: Identity::new(Source::file("-certfile", &text), None).unwrap(),
        ..Settings::default()
    };
    context(&settings).unwrap();
}

#[test]
fn a_failed_password_script_is_the_error() {
    let pki = pki();
    let key = pki
        .server
        .key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"x")
        .unwrap();
    let settings = server(&pki.server.pem(), Some(&key));
    let script = Error::Script {
        code: vec!["MINE".to_owned()],
        message: "don't know".to_owned(),
    };
    let mut ask = |_| Err(script.clone());
    let files = Memory::default();
    let error = refused(crate::context::obtain(&settings, &files, &mut ask, None));
    assert_eq!(error, script);
    assert_ne!(error, Error::failed(Reason::Password, ""));
}

#[test]
fn an_archive_brings_chain_and_key() {
    let pki = pki();
    let archive = |password: &str| {
        let mut chain = Stack::new().unwrap();
        chain.push(pki.intermediate.certificate.clone()).unwrap();
        let mut builder = Pkcs12::builder();
        builder
            .cert(&pki.server.certificate)
            .pkey(&pki.server.key)
            .ca(chain);
        builder.build2(password).unwrap().to_der().unwrap()
    };
    let client = context(&pki.client_settings()).unwrap();
    let open = context(&server(&archive(""), None)).unwrap();
    Pair::of(&client, &open).talk();

    let settings = server(&archive("swordfish"), None);
    let owner = PasswordOwner::new(7, "script");
    let error = refused(context(&settings));
    assert_eq!(error.code(), ["TLS", "PASSWORD", "FAILED", "-cert"]);
    let (wrong, _) = context_with_password(&settings, "hunter2", owner);
    assert_eq!(
        refused(wrong).message(),
        "unable to set certificate: mac verify failure (option -cert)"
    );
    let (right, asked) = context_with_password(&settings, "swordfish", owner);
    assert_eq!(asked, 1);
    Pair::of(&client, &right.unwrap()).talk();

    let error = refused(context(&server(&archive(""), Some(&pki.server.key_pem()))));
    assert!(error.message().contains("brings its own key"));
}

#[test]
fn a_lonely_certificate_gets_its_chain_from_the_trusted_ones() {
    let pki = pki();
    let settings = Settings {
        trust: trust(&[pki.root.pem(), pki.intermediate.pem()].concat()),
        ..server(&pki.server.pem(), Some(&pki.server.key_pem()))
    };
    let server = context(&settings).unwrap();
    let client = context(&pki.client_settings()).unwrap();
    let mut pair = Pair::of(&client, &server);
    pair.talk();
    // The root stays at home.
    let sent = pair.client.stream.ssl().peer_cert_chain().unwrap();
    assert_eq!(sent.len(), 2);
}
