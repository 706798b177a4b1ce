//! A new authority: key, self-signed certificate, folders, files and a configuration, in one go.

use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::{X509, X509Name};

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::sign::{KeyDigest, Signer, key_digest};
use crate::ossl::x509_draft;
use crate::ossl::x509v3::Context;
use crate::x509::time;

use super::authority::unsigned;
use super::disk;
use super::issue::random_serial;

/// What kind of key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// RSA with so many bits.
    Rsa(u32),
    /// On an elliptic curve.
    Ec(Nid),
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
}

impl KeyKind {
    /// The kind that a word names: `rsa`, `rsa:BITS`, `ec`, `ec:CURVE`, `ed25519` or `ed448`.
    pub(crate) fn parse(word: &str) -> Result<Self> {
        let bad = || {
            let message = format!(
                "bad kind of key \"{word}\": must be rsa, rsa:BITS, ec, ec:CURVE, ed25519, or ed448"
            );
            Error::failed_with(Reason::CaOption, ["-newkey", word], message)
        };
        let (kind, detail) = word.split_once(':').unwrap_or((word, ""));
        match (kind.to_ascii_lowercase().as_str(), detail) {
            ("rsa", "") => Ok(Self::Rsa(3072)),
            ("rsa", bits) => match bits.parse() {
                Ok(bits @ 2048..=16384) => Ok(Self::Rsa(bits)),
                _ => Err(bad()),
            },
            ("ec", "" | "P-256" | "prime256v1") => Ok(Self::Ec(Nid::X9_62_PRIME256V1)),
            ("ec", "P-384" | "secp384r1") => Ok(Self::Ec(Nid::SECP384R1)),
            ("ec", "P-521" | "secp521r1") => Ok(Self::Ec(Nid::SECP521R1)),
            ("ed25519", "") => Ok(Self::Ed25519),
            ("ed448", "") => Ok(Self::Ed448),
            _ => Err(bad()),
        }
    }

    /// Makes a key.
    pub(crate) fn generate(&self) -> Result<PKey<Private>> {
        let made = match self {
            Self::Rsa(bits) => Rsa::generate(*bits).and_then(PKey::from_rsa),
            Self::Ec(curve) => EcGroup::from_curve_name(*curve)
                .and_then(|group| EcKey::generate(&group))
                .and_then(PKey::from_ec_key),
            Self::Ed25519 => PKey::generate_ed25519(),
            Self::Ed448 => PKey::generate_ed448(),
        };
        made.map_err(|stack| failed(&stack))
    }
}

/// What the new authority is to be.
pub(crate) struct Plan<'a> {
    /// Its folder, which must not be there or be empty.
    pub(crate) folder: &'a Path,
    /// Its name.
    pub(crate) subject: &'a X509Name,
    /// Its kind of key.
    pub(crate) kind: &'a KeyKind,
    /// The password of its key; none leaves the key in the clear.
    pub(crate) password: Option<&'a [u8]>,
    /// How many days its certificate lasts.
    pub(crate) days: i64,
    /// Now.
    pub(crate) now: i64,
}

/// Makes the authority; gives its certificate. The folder appears whole or not at all.
pub(crate) fn create(plan: &Plan<'_>) -> Result<X509> {
    let taken = plan.folder.exists() && !disk::is_empty_folder(plan.folder);
    if taken {
        let folder = plan.folder.display().to_string();
        let message = format!("\"{folder}\" is there already");
        return Err(Error::failed_with(Reason::CaWrite, [&folder], message));
    }
    let key = plan.kind.generate()?;
    let certificate = certificate(plan, &key)?;
    let folder = disk::absolute(plan.folder);
    let draft = disk::beside(&folder, ".new");
    disk::remove_folder(&draft)?;
    let built = fill(&draft, &folder, &key, &certificate, plan.password)
        .and_then(|()| disk::rename_folder(&draft, &folder));
    if built.is_err() {
        disk::remove_folder(&draft).ok();
    }
    built.map(|()| certificate)
}

/// The authority's certificate.
fn certificate(plan: &Plan<'_>, key: &PKey<Private>) -> Result<X509> {
    let moment = |seconds| match time::asn1(seconds) {
        Ok(text) => Asn1Time::from_str(&text),
        Err(_) => Err(ErrorStack::get()),
    };
    let serial = random_serial()?;
    let end = plan.now.saturating_add(plan.days.saturating_mul(86_400));
    let framed = BigNum::from_slice(serial.magnitude()).and_then(|number| {
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*Asn1Integer::from_bn(&number)?)?;
        builder.set_issuer_name(plan.subject)?;
        builder.set_subject_name(plan.subject)?;
        builder.set_not_before(&*moment(plan.now)?)?;
        builder.set_not_after(&*moment(end)?)?;
        builder.set_pubkey(key)?;
        Ok(builder.build())
    });
    let certificate = framed.map_err(|stack| failed(&stack))?;
    for (name, value) in [
        ("basicConstraints", "critical,CA:TRUE"),
        ("keyUsage", "critical,keyCertSign,cRLSign"),
        ("subjectKeyIdentifier", "hash"),
    ] {
        let parties = Context {
            issuer: Some(&certificate),
            subject: Some(&certificate),
            ..Context::default()
        };
        let extension = x509_draft::extension(name, value, parties)
            .map_err(|entries| Error::failed(Reason::CaCreate, reasons_text(&entries)))?;
        x509_draft::append(&certificate, &extension).map_err(|stack| failed(&stack))?;
    }
    let digest = match key_digest(key) {
        KeyDigest::Fixed(_) => None,
        _ => Some("sha256"),
    };
    let signer = Signer {
        key,
        digest,
        options: &[],
        properties: None,
    };
    let signed = signer.certificate(&certificate);
    signed.map_err(|refused| unsigned("certificate", &refused))?;
    Ok(certificate)
}

/// Fills the folder, under its provisional name; `folder` is the one it will have.
fn fill(
    draft: &Path,
    folder: &Path,
    key: &PKey<Private>,
    certificate: &X509,
    password: Option<&[u8]>,
) -> Result<()> {
    for name in ["certs", "crl", "newcerts"] {
        disk::make_folder(&draft.join(name))?;
    }
    disk::make_private_folder(&draft.join("private"))?;
    let key = match password {
        Some(password) => key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password),
        None => key.private_key_to_pem_pkcs8(),
    };
    let key = ossl::secret::Secret::from(key.map_err(|stack| failed(&stack))?);
    disk::make_private_file(&draft.join("private/cakey.pem"), &key)?;
    let pem = certificate.to_pem().map_err(|stack| failed(&stack))?;
    let configuration = CONFIGURATION.replace("@dir@", &folder.display().to_string());
    let files: [(&str, &[u8]); 6] = [
        ("cacert.pem", &pem),
        ("index.txt", b""),
        ("index.txt.attr", b"unique_subject = no\n"),
        ("serial", b"01\n"),
        ("crlnumber", b"01\n"),
        ("openssl.cnf", configuration.as_bytes()),
    ];
    for (name, bytes) in files {
        let path: PathBuf = draft.join(name);
        disk::stage(&path, bytes)?.finish(false)?;
    }
    Ok(())
}

/// The configuration of a new authority. Serial numbers are random, names are kept as the policy says, and requests may
/// bring nothing but their alternative names, since all else is set.
const CONFIGURATION: &str = "\
[ca]
default_ca = CA_default

[CA_default]
dir = @dir@
database = $dir/index.txt
new_certs_dir = $dir/newcerts
certificate = $dir/cacert.pem
private_key = $dir/private/cakey.pem
serial = $dir/serial
crlnumber = $dir/crlnumber
rand_serial = yes
unique_subject = no
default_md = default
default_days = 397
default_crl_days = 7
policy = policy_anything
x509_extensions = server_and_client
crl_extensions = crl
copy_extensions = copy

[policy_anything]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
emailAddress = optional

[policy_match]
countryName = match
stateOrProvinceName = match
organizationName = match
organizationalUnitName = optional
commonName = supplied
emailAddress = optional

[server_and_client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[ocsp]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[crl]
authorityKeyIdentifier = keyid
";

/// The error for a failure of OpenSSL that no input explains.
fn failed(stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    Error::failed(Reason::CaCreate, format!("can't make the authority: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_keys_have_names() {
        assert_eq!(KeyKind::parse("rsa"), Ok(KeyKind::Rsa(3072)));
        assert_eq!(KeyKind::parse("RSA:4096"), Ok(KeyKind::Rsa(4096)));
        assert_eq!(KeyKind::parse("ec:P-384"), Ok(KeyKind::Ec(Nid::SECP384R1)));
        assert_eq!(KeyKind::parse("ed25519"), Ok(KeyKind::Ed25519));
        for bad in ["", "rsa:512", "rsa:x", "ec:none", "ed25519:1", "dsa"] {
            assert!(KeyKind::parse(bad).is_err(), "{bad}");
        }
    }
}
