//! New keys with certificates that they sign themselves.
//!
//! Safe OpenSSL only. No Tcl, no files.

use openssl::asn1::{Asn1Integer, Asn1IntegerRef, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Name, X509NameRef};

use super::Problem;
use super::name::{self, Attribute};
use crate::error::reasons_text;
use crate::ossl::error::entries;
use crate::ossl::secret::Secret;

/// What a certificate is to be like.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The size of the RSA key.
    pub(crate) bits: u32,
    /// How many days the certificate is valid from now on.
    pub(crate) days: u32,
    /// Its serial number.
    pub(crate) serial: u32,
    /// The name of its subject, who is its issuer as well.
    pub(crate) name: Vec<Attribute>,
}

/// A key and its certificate, both as PEM.
#[derive(Debug)]
pub(crate) struct Made {
    /// The private key, not encrypted.
    pub(crate) key: Secret,
    /// The certificate.
    pub(crate) certificate: Vec<u8>,
}

/// Makes a key, and a certificate of an authority for it, as `openssl req -x509` does.
pub(crate) fn self_signed(wish: Wish) -> Result<Made, Problem> {
    let sets: Vec<Vec<Attribute>> = wish.name.into_iter().map(|one| vec![one]).collect();
    let name = name::build(&sets)?;
    made(wish.bits, wish.days, wish.serial, &name).map_err(|stack| {
        let why = reasons_text(&entries(&stack));
        Problem::new(format!("can't make the certificate: {why}"))
    })
}

/// The same, with OpenSSL's errors.
fn made(bits: u32, days: u32, serial: u32, name: &X509Name) -> Result<Made, ErrorStack> {
    let key = PKey::from_rsa(Rsa::generate(bits)?)?;
    let certificate = certificate(&key, days, serial, name)?;
    Ok(Made {
        key: Secret::new(key.private_key_to_pem_pkcs8()?),
        certificate: certificate.to_pem()?,
    })
}

/// The certificate for a key.
fn certificate(
    key: &PKey<Private>,
    days: u32,
    serial: u32,
    name: &X509Name,
) -> Result<X509, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = Asn1Integer::from_bn(&*BigNum::from_u32(serial)?)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(name)?;
    builder.set_issuer_name(name)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(days)?)?;
    builder.set_pubkey(key)?;
    let subject_key = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(subject_key)?;
    let issuer_key = AuthorityKeyIdentifier::new()
        .keyid(true)
        .build(&builder.x509v3_context(None, None))?;
    builder.append_extension(issuer_key)?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// A certificate that stands in for one of which only issuer and serial number are known. It is nobody's.
pub(crate) fn stand_in(issuer: &X509NameRef, serial: &Asn1IntegerRef) -> Result<X509, Problem> {
    let make = || {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(serial)?;
        builder.set_issuer_name(issuer)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(builder.build())
    };
    make().map_err(|stack: ErrorStack| {
        let why = reasons_text(&entries(&stack));
        Problem::new(format!("can't make the certificate: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_and_issuer_are_the_same_and_the_signature_is_right() {
        let attribute = |kind: &str, value: &str| Attribute {
            kind: kind.to_owned(),
            value: value.to_owned(),
        };
        let made = self_signed(Wish {
            bits: 2048,
            days: 10,
            serial: 7,
            name: vec![
                attribute("CN", "x"),
                attribute("emailAddress", "a@b.example"),
            ],
        })
        .unwrap();
        let certificate = X509::from_pem(&made.certificate).unwrap();
        let key = PKey::private_key_from_pem(&made.key).unwrap();
        assert!(certificate.verify(&key).unwrap());
        assert_eq!(
            name::rfc_2253(certificate.subject_name()),
            name::rfc_2253(certificate.issuer_name())
        );
        assert!(name::oneline(certificate.subject_name()).contains("a@b.example"));
    }
}
