//! Descriptions held against the `openssl` program, and against certificates that nobody should make.

use std::io::Write;
use std::process::{Command, Stdio};

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Req};

use super::super::der::{tag, wrap};
use super::super::fixtures::{self, Forged, all};
use super::*;
use crate::value::Value;

/// The keys of the certificate part of `tls::status` in all dialects, and those added.
const KEYS: &str = "signatureAlgorithm signatureValue version serialNumber signature issuer subject notBefore notAfter \
    sha1_hash sha256_hash signingDigest publicKeyAlgorithm bits publicKey publicKeyHash signatureHash purpose \
    certificatePurpose extFlags selfIssued selfSigned isProxyCert extInvalid isCACert issuerUniqueId subjectUniqueId \
    extCount extensions authorityKeyIdentifier subjectKeyIdentifier keyUsage extendedKeyUsage subjectAltName \
    issuerAltName pathLen basicConstraintsCA crlDistributionPoints ocspResponders caIssuers alias keyId certificate all \
    signature_algorithm digest public_key_algorithm extension_flags self_signed serial num_extensions signatureDigest \
    ocsp issuerUniqueID subjectUniqueID criticalExtensions";

/// What a key of a record is, as text; lists are joined by `|`.
fn shown(record: &Record, key: &str) -> String {
    match record.value(key) {
        Some(Value::Str(text)) => text.clone(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Bytes(bytes)) => der::visible(bytes),
        Some(Value::List(items)) => {
            let text = |item: &Value| match item {
                Value::Str(text) => text.clone(),
                other => panic!("{key} holds {other:?}"),
            };
            items.iter().map(text).collect::<Vec<_>>().join("|")
        }
        other => panic!("{key} is {other:?}"),
    }
}

/// What the `openssl` program prints.
fn openssl(args: &str, input: &[u8]) -> String {
    let mut program = Command::new("openssl")
        .args(args.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(input).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A certificate of `openssl req -x509`, with an extension of each kind that is described.
fn rich() -> X509 {
    const CONFIG: &str = "
        [req]
        distinguished_name = dn
        x509_extensions = ext
        prompt = no
        string_mask = utf8only
        utf8 = yes
        [dn]
        C = DE
        O = Bäckerei, Meyer + Co
        CN = www.example.com
        emailAddress = a@example.com
        [ext]
        basicConstraints = critical,CA:TRUE,pathlen:2
        keyUsage = critical,digitalSignature,nonRepudiation,keyCertSign,cRLSign,decipherOnly
        extendedKeyUsage = serverAuth,clientAuth,emailProtection,1.2.3.4.5
        subjectKeyIdentifier = hash
        authorityKeyIdentifier = keyid:always
        issuerAltName = DNS:issuer.example.com
        subjectAltName = DNS:a.example.com,IP:1.2.3.4,IP:2001:db8::1,email:x@example.com,URI:https://example.com/,RID:1.2.3.4,dirName:dn2,otherName:1.2.3.4;UTF8:some text
        crlDistributionPoints = URI:http://crl.example.com/a.crl,URI:http://crl.example.com/b.crl
        authorityInfoAccess = OCSP;URI:http://ocsp.example.com/,caIssuers;URI:http://ca.example.com/ca.cer,caIssuers;URI:http://ca.example.com/2.cer
        1.2.3.4.5.6 = ASN1:UTF8String:x
        [dn2]
        CN = inside
    ";
    let name = format!(
        "tls-describe-{}-{:?}.cnf",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, CONFIG).unwrap();
    let args = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 2 -sha384 \
         -set_serial 0x00ABCDEF -config {}",
        path.display()
    );
    let pem = openssl(&args.replace("  ", " "), b"");
    std::fs::remove_file(&path).unwrap();
    X509::from_pem(pem.as_bytes()).unwrap()
}

#[test]
fn a_certificate_has_all_keys_of_all_dialects() {
    let key = fixtures::key();
    let record = certificate(&fixtures::certificate("/CN=x", &key, None, false));
    for key in KEYS.split_whitespace() {
        assert!(record.value(key).is_some(), "{key} is missing");
    }
    assert_eq!(record.iter().count(), KEYS.split_whitespace().count());
}

#[test]
fn the_openssl_program_says_the_same() {
    let rich = rich();
    let pem = String::from_utf8(rich.to_pem().unwrap()).unwrap();
    let record = certificate(&rich);
    let prints = |args: &str| openssl(&format!("x509 -noout {args}"), pem.as_bytes());
    let cases = [
        ("serialNumber", "-serial", "serial="),
        ("notBefore", "-startdate", "notBefore="),
        ("notAfter", "-enddate", "notAfter="),
        ("subject", "-subject -nameopt RFC2253,-esc_msb", "subject="),
        ("issuer", "-issuer -nameopt RFC2253,-esc_msb", "issuer="),
    ];
    for (key, args, prefix) in cases {
        let printed = prints(args);
        let printed = printed.trim_end().strip_prefix(prefix).unwrap();
        assert_eq!(shown(&record, key), printed, "{key}");
    }
    for (key, args) in [
        ("sha1_hash", "-sha1"),
        ("sha256_hash", "-sha256"),
        ("signatureHash", "-sha384"),
    ] {
        let printed = prints(&format!("-fingerprint {args}"));
        let printed = printed
            .trim_end()
            .split_once('=')
            .unwrap()
            .1
            .replace(':', "");
        assert_eq!(shown(&record, key), printed.to_lowercase(), "{key}");
    }
    assert_eq!(shown(&record, "certificate"), pem);
    assert_eq!(
        shown(&record, "all"),
        prints("-text -nameopt RFC2253,-esc_msb")
    );
    let public = openssl("x509 -pubkey -noout", pem.as_bytes());
    let spki = PKey::public_key_from_pem(public.as_bytes())
        .unwrap()
        .public_key_to_der()
        .unwrap();
    assert_eq!(
        shown(&record, "publicKeyHash"),
        der::hex(&openssl::sha::sha256(&spki))
    );
    assert!(der::hex(&spki).ends_with(&shown(&record, "publicKey")));
    let Some(Value::Record(purposes)) = record.value("certificatePurpose") else {
        panic!("no purposes");
    };
    let printed = prints("-purpose");
    for (purpose, answers) in purposes.iter() {
        let Value::Record(answers) = answers else {
            panic!("{purpose} has no answers");
        };
        let line = |kind: &str| {
            format!(
                "{purpose}{kind} : {}",
                shown(answers, if kind.is_empty() { "nonCA" } else { "CA" })
            )
        };
        assert!(
            printed.contains(&line("")) && printed.contains(&line(" CA")),
            "{purpose} in {printed}"
        );
    }
}

#[test]
fn extensions_are_spelt_out() {
    let record = certificate(&rich());
    let cases = [
        ("version", "3"),
        ("serial", "ABCDEF"),
        (
            "subject",
            r"emailAddress=a@example.com,CN=www.example.com,O=Bäckerei\, Meyer \+ Co,C=DE",
        ),
        ("signatureAlgorithm", "ecdsa-with-SHA384"),
        ("signature_algorithm", "ecdsa-with-SHA384"),
        ("signingDigest", "sha384"),
        ("publicKeyAlgorithm", "id-ecPublicKey"),
        ("bits", "256"),
        ("selfSigned", "true"),
        ("selfIssued", "true"),
        ("isCACert", "true"),
        ("extInvalid", "false"),
        ("isProxyCert", "false"),
        ("pathLen", "2"),
        ("basicConstraintsCA", "true"),
        ("extCount", "10"),
        (
            "extensions",
            "X509v3 Basic Constraints|X509v3 Key Usage|X509v3 Extended Key Usage|X509v3 Subject Key Identifier|\
             X509v3 Authority Key Identifier|X509v3 Issuer Alternative Name|X509v3 Subject Alternative Name|\
             X509v3 CRL Distribution Points|Authority Information Access|1.2.3.4.5.6",
        ),
        (
            "criticalExtensions",
            "X509v3 Basic Constraints|X509v3 Key Usage",
        ),
        (
            "keyUsage",
            "Digital Signature|Non-Repudiation|Certificate Signing|CRL Signing|Decipher Only",
        ),
        (
            "extendedKeyUsage",
            "TLS Web Server Authentication|TLS Web Client Authentication|E-mail Protection|1.2.3.4.5",
        ),
        (
            "subjectAltName",
            "DNS:a.example.com|IP Address:1.2.3.4|IP Address:2001:DB8:0:0:0:0:0:1|email:x@example.com|\
             URI:https://example.com/|Registered ID:1.2.3.4|DirName:CN=inside|othername:1.2.3.4;some text",
        ),
        ("issuerAltName", "DNS:issuer.example.com"),
        (
            "crlDistributionPoints",
            "http://crl.example.com/a.crl|http://crl.example.com/b.crl",
        ),
        ("ocspResponders", "http://ocsp.example.com/"),
        (
            "caIssuers",
            "http://ca.example.com/ca.cer|http://ca.example.com/2.cer",
        ),
        ("alias", ""),
        ("keyId", ""),
        ("issuerUniqueId", ""),
    ];
    for (key, expected) in cases {
        assert_eq!(shown(&record, key), expected, "{key}");
    }
    assert_eq!(
        shown(&record, "authorityKeyIdentifier"),
        shown(&record, "subjectKeyIdentifier")
    );
    assert_eq!(shown(&record, "subjectKeyIdentifier").len(), 40);
}

#[test]
fn bits_and_algorithm_are_those_of_this_certificates_key() {
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let root = fixtures::certificate("/CN=root", &rsa, None, true);
    let key = fixtures::key();
    let leaf = fixtures::certificate("/CN=leaf", &key, Some((&root, &rsa)), false);
    let record = summary(&leaf);
    assert_eq!(shown(&record, "publicKeyAlgorithm"), "id-ecPublicKey");
    assert_eq!(shown(&record, "bits"), "256");
    assert_eq!(
        shown(&record, "signatureAlgorithm"),
        "sha256WithRSAEncryption"
    );
    assert_eq!(shown(&record, "selfSigned"), "false");
    assert_eq!(shown(&record, "keyUsage"), "unrestricted");
    assert_eq!(shown(&summary(&root), "bits"), "2048");
    assert!(record.value("all").is_none());
}

#[test]
fn equal_names_alone_are_no_own_signature() {
    let key = fixtures::key();
    let other = fixtures::key();
    let first = fixtures::certificate("/CN=same", &key, None, true);
    let second = fixtures::certificate("/CN=same", &other, Some((&first, &key)), false);
    let record = summary(&second);
    assert_eq!(shown(&record, "selfIssued"), "true");
    assert_eq!(shown(&record, "selfSigned"), "false");
}

#[test]
fn key_kinds_without_a_name_or_a_size_are_described() {
    let ed25519 = PKey::generate_ed25519()
        .unwrap()
        .public_key_to_der()
        .unwrap();
    let x25519 = PKey::generate_x25519()
        .unwrap()
        .public_key_to_der()
        .unwrap();
    let unknown = all(
        0x30,
        &[&all(0x30, &[&wrap(6, &[0x2a, 3, 4])]), &wrap(3, b"\0key")],
    );
    let cases = [
        (ed25519, "ED25519", "256"),
        (x25519, "X25519", "253"),
        (unknown, "1.2.3.4", ""),
    ];
    for (key, algorithm, bits) in cases {
        let key = Forged {
            key,
            ..Forged::default()
        };
        let record = certificate(&key.certificate().unwrap());
        assert_eq!(shown(&record, "publicKeyAlgorithm"), algorithm);
        assert_eq!(shown(&record, "bits"), bits);
        assert_eq!(shown(&record, "publicKeyHash").len(), 64);
    }
}

#[test]
fn serial_numbers_of_any_size_and_sign() {
    let cases: [(Vec<u8>, String); 4] = [
        (vec![0x7f; 40], "7F".repeat(40)),
        (vec![0xff, 0x00], "-0100".to_owned()),
        (vec![0], "00".to_owned()),
        (vec![0, 0x80], "80".to_owned()),
    ];
    for (serial, expected) in cases {
        let forged = Forged {
            serial,
            ..Forged::default()
        };
        assert_eq!(
            shown(&summary(&forged.certificate().unwrap()), "serialNumber"),
            expected
        );
    }
}

#[test]
fn times_outside_the_ordinary() {
    let utc = |text: &[u8]| wrap(tag::UTC_TIME, text);
    let general = |text: &[u8]| wrap(tag::GENERALIZED_TIME, text);
    let cases = [
        (utc(b"491231235959Z"), "Dec 31 23:59:59 2049 GMT"),
        (general(b"19000101000000Z"), "Jan  1 00:00:00 1900 GMT"),
        (general(b"99991231235959Z"), "Dec 31 23:59:59 9999 GMT"),
        (general(b"00000101000000Z"), "Jan  1 00:00:00 0 GMT"),
        (utc(b"991332000000Z"), ""),
        (utc(b"hello"), ""),
        (utc(b""), ""),
        (utc(&[0; 13]), ""),
    ];
    for (time, expected) in cases {
        let validity = all(0x30, &[&time, &time]);
        let forged = Forged {
            validity,
            ..Forged::default()
        };
        let Some(made) = forged.certificate() else {
            assert_eq!(expected, "");
            continue;
        };
        let record = certificate(&made);
        assert_eq!(shown(&record, "notBefore"), expected);
        assert_eq!(shown(&record, "notAfter"), expected);
    }
}

#[test]
fn null_bytes_are_visible_and_cut_nothing() {
    let san = all(
        0x30,
        &[
            &wrap(0x82, b"good.example.com\0.evil.com"),
            &wrap(0x81, b"a\\b@\xc3\xa4.com"),
            &wrap(0x86, b"http://x/\r\nSet-Cookie: a"),
            &wrap(0x87, &[1, 2, 3]),
            &wrap(0xa0, b"rubbish"),
            &wrap(0xa4, b"rubbish"),
        ],
    );
    let cn = all(0x30, &[&wrap(6, &[0x55, 4, 3]), &wrap(0x0c, b"good\0evil")]);
    let forged = Forged {
        name: wrap(0x30, &wrap(0x31, &cn)),
        extensions: vec![(vec![0x55, 0x1d, 17], false, san)],
        ..Forged::default()
    };
    let record = certificate(&forged.certificate().unwrap());
    assert_eq!(shown(&record, "subject"), r"CN=good\00evil");
    let expected = [
        r"DNS:good.example.com\00.evil.com",
        r"email:a\\b@\C3\A4.com",
        r"URI:http://x/\0D\0ASet-Cookie: a",
        "IP Address:#010203",
        "othername:#72756262697368",
        "DirName:#72756262697368",
    ];
    assert_eq!(shown(&record, "subjectAltName"), expected.join("|"));
}

#[test]
fn malformed_and_doubled_extensions_leave_their_keys_empty() {
    const ALL: [u8; 9] = [14, 15, 17, 18, 19, 31, 35, 37, 20];
    let oids = ALL.iter().map(|last| vec![0x55, 0x1d, *last]);
    let info: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
    for value in [
        &b""[..],
        b"\xff\xff\xff",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x80",
        b"\x30\x03\x02\x01\x05",
        b"\x03\0",
    ] {
        let all = oids.clone().chain([info.to_vec()]);
        let extensions = all.map(|oid| (oid, false, value.to_vec())).collect();
        let forged = Forged {
            extensions,
            ..Forged::default()
        };
        let record = certificate(&forged.certificate().unwrap());
        assert_eq!(shown(&record, "extInvalid"), "true");
        for key in [
            "keyUsage",
            "extendedKeyUsage",
            "subjectAltName",
            "crlDistributionPoints",
            "ocsp",
        ] {
            assert_eq!(shown(&record, key), "", "{key} {value:?}");
        }
    }
    let usage = (vec![0x55, 0x1d, 15], false, vec![3, 2, 7, 0x80]);
    let extensions = vec![usage.clone(), usage];
    let twice = Forged {
        extensions,
        ..Forged::default()
    };
    assert_eq!(
        shown(&summary(&twice.certificate().unwrap()), "keyUsage"),
        ""
    );
}

#[test]
fn huge_and_empty_names_are_whole() {
    let long = "x".repeat(100_000);
    let cn = all(
        0x30,
        &[&wrap(6, &[0x55, 4, 3]), &wrap(0x0c, long.as_bytes())],
    );
    let name = wrap(0x30, &wrap(0x31, &cn));
    let huge = Forged {
        name,
        ..Forged::default()
    };
    let record = certificate(&huge.certificate().unwrap());
    assert_eq!(shown(&record, "subject"), format!("CN={long}"));
    assert!(shown(&record, "all").contains(&long));
    assert!(shown(&record, "certificate").ends_with("-----END CERTIFICATE-----\n"));
    let name = wrap(0x30, b"");
    let empty = Forged {
        name,
        ..Forged::default()
    };
    assert_eq!(
        shown(&certificate(&empty.certificate().unwrap()), "subject"),
        ""
    );
}

#[test]
fn every_cut_and_every_flipped_byte_is_survived() {
    let der = rich().to_der().unwrap();
    for at in 0..der.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut hostile = der.clone();
            hostile[at] ^= flip;
            if let Ok(certificate) = X509::from_der(&hostile) {
                assert!(!summary(&certificate).is_empty());
            }
        }
        assert!(frame::certificate(&der[..at]).is_none());
    }
    assert!(openssl::error::ErrorStack::get().errors().is_empty());
}

#[test]
fn a_trusted_certificate_brings_its_alias() {
    let key = fixtures::key();
    let pem = fixtures::certificate("/CN=x", &key, None, false)
        .to_pem()
        .unwrap();
    let trusted = openssl("x509 -trustout -setalias Zoë", &pem);
    let found = super::super::load::certificates(trusted.as_bytes()).unwrap();
    assert_eq!(shown(&summary(&found[0]), "alias"), "Zoë");
}

#[test]
fn requests_are_described() {
    let key = openssl("genpkey -algorithm ed25519", b"");
    let path = std::env::temp_dir().join(format!("tls-request-{}.pem", std::process::id()));
    std::fs::write(&path, key).unwrap();
    let args = format!(
        "req -new -key {} -subj /C=DE/CN=Zoë -utf8 -addext subjectAltName=DNS:a.b",
        path.display()
    );
    let pem = openssl(&args, b"");
    std::fs::remove_file(&path).unwrap();
    let made = X509Req::from_pem(pem.as_bytes()).unwrap();
    let record = request(&made);
    assert_eq!(shown(&record, "subject"), "CN=Zoë,C=DE");
    assert_eq!(shown(&record, "publicKeyAlgorithm"), "ED25519");
    assert_eq!(shown(&record, "signatureValid"), "true");
    assert_eq!(shown(&record, "subjectAltName"), "DNS:a.b");
    assert_eq!(shown(&record, "keyUsage"), "unrestricted");
    assert_eq!(shown(&record, "version"), "1");
    assert_eq!(shown(&record, "request"), pem);
    assert!(shown(&record, "all").starts_with("Certificate Request:"));
    let Some(Value::Record(attributes)) = record.value("attributes") else {
        panic!("no attributes");
    };
    assert!(attributes.value("Extension Request").is_some());
    let mut forged = made.to_der().unwrap();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let forged = X509Req::from_der(&forged).unwrap();
    assert_eq!(shown(&request(&forged), "signatureValid"), "false");
}
