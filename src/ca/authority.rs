//! The authority itself: its certificate, its key, and how it signs.

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use crate::error::{Error, Reason, Result};
use crate::ossl;
use crate::ossl::sign::{KeyDigest, Refused, Signer};

use super::request::same_key;

/// What signs.
pub(crate) struct Authority {
    /// The certificate; none for `-selfsign`, where each certificate is its own authority's.
    pub(crate) certificate: Option<X509>,
    /// The key.
    pub(crate) key: PKey<Private>,
    /// The digest; `None` where the key needs none.
    digest: Option<String>,
    /// Parameters of the signature, `name:value`.
    parameters: Vec<String>,
    /// Where OpenSSL is to look for algorithms.
    properties: Option<String>,
}

impl Authority {
    /// Puts the parts together. `digest` is the one asked for, or `default`.
    pub(crate) fn new(
        certificate: Option<X509>,
        key: PKey<Private>,
        digest: Option<&str>,
        parameters: Vec<String>,
        properties: Option<String>,
    ) -> Result<Self> {
        if let Some(certificate) = &certificate {
            let own = certificate.public_key();
            if !own.is_ok_and(|own| same_key(&own, &key)) {
                return Err(Error::failed(
                    Reason::CaVerify,
                    "the authority's certificate and its private key don't belong together",
                ));
            }
        }
        let digest = match (ossl::sign::key_digest(&key), digest) {
            (KeyDigest::Fixed(name), _) => name,
            (KeyDigest::Proposed(name), Some("default")) => Some(name),
            (_, Some("default")) => {
                return Err(Error::failed_with(
                    Reason::CaOption,
                    ["-md"],
                    "the key proposes no digest that \"default\" could stand for",
                ));
            }
            (_, Some(name)) => Some(known_digest(name)?),
            (_, None) => {
                return Err(Error::failed_with(
                    Reason::CaOption,
                    ["-md", "default_md"],
                    "no digest: there is neither -md nor default_md",
                ));
            }
        };
        Ok(Self {
            certificate,
            key,
            digest,
            parameters,
            properties,
        })
    }

    /// Whether the key says by itself which digest it signs with.
    pub(crate) fn brings_digest(key: &PKey<Private>) -> bool {
        matches!(ossl::sign::key_digest(key), KeyDigest::Fixed(_))
    }

    /// What makes signatures.
    pub(crate) fn signer(&self) -> Signer<'_, Private> {
        Signer {
            key: &self.key,
            digest: self.digest.as_deref(),
            options: &self.parameters,
            properties: self.properties.as_deref(),
        }
    }

    /// The certificate, for an operation that needs it.
    pub(crate) fn certificate(&self) -> Result<&X509> {
        self.certificate.as_ref().ok_or_else(|| {
            Error::failed(
                Reason::CaOption,
                "-selfsign only goes with issuing certificates",
            )
        })
    }
}

/// The error of a signature that couldn't be made.
pub(crate) fn unsigned(what: &str, refused: &Refused) -> Error {
    match refused {
        Refused::Option(option) => Error::failed_with(
            Reason::CaOption,
            ["-sigopt", option],
            format!("the key takes no parameter \"{option}\""),
        ),
        Refused::Stack(stack) => {
            let why = crate::error::reasons_text(&ossl::error::entries(stack));
            Error::failed(Reason::CaCreate, format!("can't sign the {what}: {why}"))
        }
    }
}

/// A digest's name, if OpenSSL has it.
fn known_digest(name: &str) -> Result<String> {
    let found = openssl::md::Md::fetch(None, name, None);
    if !name.contains('\0') && found.is_ok() {
        return Ok(name.to_owned());
    }
    Err(Error::failed_with(
        Reason::CaOption,
        ["-md", name],
        format!("unknown digest \"{name}\""),
    ))
}
