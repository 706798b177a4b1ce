//! Certificates for tests: good ones that OpenSSL makes, and hostile ones that no program would make.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};

use super::der::wrap;
use super::name;

/// A new key on P-256.
pub(crate) fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A name in slash form, made.
pub(crate) fn name(slash: &str) -> X509Name {
    name::build(&name::parse_slash(slash).unwrap()).unwrap()
}

/// A certificate for `subject`, valid for a day, signed by `issuer` or else by itself; it names the host `localhost`
/// unless it is an authority's.
pub(crate) fn certificate(
    subject: &str,
    key: &PKey<Private>,
    issuer: Option<(&X509, &PKey<Private>)>,
    authority: bool,
) -> X509 {
    let mut builder = X509::builder().unwrap();
    let subject = name(subject);
    builder.set_version(2).unwrap();
    let serial = Asn1Integer::from_bn(&BigNum::from_u32(0x1234).unwrap()).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issuer_name = issuer.map_or(&*subject, |(issuer, _)| issuer.subject_name());
    builder.set_issuer_name(issuer_name).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder.set_pubkey(key).unwrap();
    if authority {
        let constraints = BasicConstraints::new().critical().ca().pathlen(3).build();
        builder.append_extension(constraints.unwrap()).unwrap();
    } else {
        let context = builder.x509v3_context(issuer.map(|(issuer, _)| &**issuer), None);
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .build(&context);
        builder.append_extension(names.unwrap()).unwrap();
    }
    let signer = issuer.map_or(key, |(_, key)| key);
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A certificate put together by hand, each part as DER; its signature is nonsense.
pub(crate) struct Forged {
    /// The serial number's content bytes.
    pub(crate) serial: Vec<u8>,
    /// Issuer and subject.
    pub(crate) name: Vec<u8>,
    /// The two times.
    pub(crate) validity: Vec<u8>,
    /// The public key with its algorithm.
    pub(crate) key: Vec<u8>,
    /// The extensions: content bytes of the object identifier, whether critical, the value.
    pub(crate) extensions: Vec<(Vec<u8>, bool, Vec<u8>)>,
}

/// The content bytes of the object identifier of sha256WithRSAEncryption.
pub(crate) const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];

/// An element whose content is made of several parts.
pub(crate) fn all(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    wrap(tag, &parts.concat())
}

impl Default for Forged {
    fn default() -> Self {
        Self {
            serial: vec![1],
            name: name("/CN=forged").to_der().unwrap(),
            validity: all(
                0x30,
                &[&wrap(0x17, b"200101000000Z"), &wrap(0x17, b"300101000000Z")],
            ),
            key: key().public_key_to_der().unwrap(),
            extensions: Vec::new(),
        }
    }
}

impl Forged {
    /// Its DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        let algorithm = all(0x30, &[&wrap(6, SHA256_RSA), &wrap(5, b"")]);
        let extensions = self.extensions.iter().map(|(oid, critical, value)| {
            let critical = if *critical {
                wrap(1, &[0xff])
            } else {
                Vec::new()
            };
            all(0x30, &[&wrap(6, oid), &critical, &wrap(4, value)])
        });
        let extensions: Vec<u8> = extensions.flatten().collect();
        let extensions = match extensions.is_empty() {
            true => Vec::new(),
            false => wrap(0xa3, &wrap(0x30, &extensions)),
        };
        let signed = all(
            0x30,
            &[
                &wrap(0xa0, &wrap(2, &[2])),
                &wrap(2, &self.serial),
                &algorithm,
                &self.name,
                &self.validity,
                &self.name,
                &self.key,
                &extensions,
            ],
        );
        all(0x30, &[&signed, &algorithm, &wrap(3, b"\0signature")])
    }

    /// The certificate, if OpenSSL reads it.
    pub(crate) fn certificate(&self) -> Option<X509> {
        X509::from_der(&self.der()).ok()
    }
}
