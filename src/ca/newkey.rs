//! New private keys: their kinds in words, and how they are written.

use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::keygen;
use crate::ossl::secret::Secret;
use crate::ossl::sign::Refused;

/// What kind of key, as the library knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyKind {
    /// The library's name of the kind.
    name: String,
    /// What distinguishes keys of the kind, each `name:value`.
    options: Vec<String>,
}

impl KeyKind {
    /// The kind that a word names: `rsa`, `rsa:BITS`, `rsa-pss:BITS`, `ec`, `ec:CURVE`, `ed25519`, or any other that the
    /// library has; `more` are further parameters, `name:value`.
    pub(crate) fn parse(word: &str, more: &[String]) -> Result<Self> {
        let bad = || {
            let message = format!(
                "bad kind of key \"{word}\": must be rsa, rsa:BITS, rsa-pss, rsa-pss:BITS, ec, ec:CURVE, ed25519, \
                 ed448, or another that the library has"
            );
            Error::failed_with(Reason::CaOption, ["-newkey", word], message)
        };
        let (kind, detail) = word.split_once(':').unwrap_or((word, ""));
        let (name, mut options) = match (kind.to_ascii_lowercase().as_str(), detail) {
            (rsa @ ("rsa" | "rsa-pss"), bits) => {
                let bits = match bits {
                    "" => 3072,
                    bits => bits.parse::<u32>().map_err(|_| bad())?,
                };
                if !(2048..=16384).contains(&bits) {
                    return Err(bad());
                }
                let bits = vec![format!("rsa_keygen_bits:{bits}")];
                (rsa.to_ascii_uppercase(), bits)
            }
            ("ec", curve) => {
                let curve = match curve {
                    "" => "P-256",
                    curve => curve,
                };
                // Curves are known by their names, so that no parameters need be written.
                let named = "ec_param_enc:named_curve".to_owned();
                let options = vec![format!("ec_paramgen_curve:{curve}"), named];
                ("EC".to_owned(), options)
            }
            (_, "") if !kind.is_empty() && keygen::knows(kind, None) => {
                (kind.to_owned(), Vec::new())
            }
            _ => return Err(bad()),
        };
        options.extend_from_slice(more);
        Ok(Self { name, options })
    }

    /// Makes a key.
    pub(crate) fn generate(&self, properties: Option<&str>) -> Result<PKey<Private>> {
        let made = keygen::generate(&self.name, &self.options, properties);
        made.map_err(|refused| match refused {
            Refused::Option(option) => {
                let message = format!("a key of the kind {} can't have \"{option}\"", self.name);
                Error::failed_with(Reason::CaOption, ["-newkey", &option], message)
            }
            // The library finds out late that there is no such curve.
            Refused::Stack(_) if self.name == "EC" => {
                ossl::error::queue();
                let curve = self.options.first().map_or("", String::as_str);
                let message = format!("there is no key with \"{curve}\"");
                Error::failed_with(Reason::CaOption, ["-newkey", curve], message)
            }
            Refused::Stack(stack) => {
                let why = reasons_text(&ossl::error::entries(&stack));
                let message = format!("can't make a key of the kind {}: {why}", self.name);
                Error::failed(Reason::CaCreate, message)
            }
        })
    }
}

/// How a key is written.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    /// The password; none leaves the key in the clear.
    pub(crate) password: Option<Secret>,
    /// The cipher, unless it is the usual one.
    pub(crate) cipher: Option<String>,
}

impl Lock {
    /// The key in PEM.
    pub(crate) fn pem(&self, key: &PKey<Private>) -> Result<Secret> {
        let made = match &self.password {
            None => key.private_key_to_pem_pkcs8(),
            Some(password) => key.private_key_to_pem_pkcs8_passphrase(self.cipher()?, password),
        };
        made.map(Secret::from).map_err(|stack| {
            let why = reasons_text(&ossl::error::entries(&stack));
            Error::failed(
                Reason::CaCreate,
                format!("can't write the private key: {why}"),
            )
        })
    }

    /// The cipher.
    fn cipher(&self) -> Result<Cipher> {
        let Some(name) = &self.cipher else {
            return Ok(Cipher::aes_256_cbc());
        };
        let text = Some(name).filter(|name| !name.contains('\0'));
        let known = text
            .and_then(|name| openssl::asn1::Asn1Object::from_str(name).ok())
            .and_then(|object| Cipher::from_nid(object.nid()));
        ossl::error::queue();
        known.ok_or_else(|| {
            let message = format!("unknown cipher \"{name}\"");
            Error::failed_with(Reason::CaOption, ["-cipher", name], message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_keys_have_names() {
        let kind = |name: &str, options: &[&str]| KeyKind {
            name: name.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        for (word, wanted) in [
            ("rsa", kind("RSA", &["rsa_keygen_bits:3072"])),
            ("RSA:4096", kind("RSA", &["rsa_keygen_bits:4096"])),
            ("rsa-pss:2048", kind("RSA-PSS", &["rsa_keygen_bits:2048"])),
            (
                "ec:P-384",
                kind(
                    "EC",
                    &["ec_paramgen_curve:P-384", "ec_param_enc:named_curve"],
                ),
            ),
            ("ed25519", kind("ed25519", &[])),
        ] {
            assert_eq!(KeyKind::parse(word, &[]), Ok(wanted));
        }
        for bad in ["", "rsa:512", "rsa:x", "ed25519:1", "boredom", "a\0b"] {
            assert!(KeyKind::parse(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_locked_by_the_cipher_asked_for() {
        let key = KeyKind::parse("ec", &[])
            .and_then(|kind| kind.generate(None))
            .unwrap();
        let lock = |cipher: &str| Lock {
            password: Some(Secret::from(&b"secret"[..])),
            cipher: Some(cipher.to_owned()),
        };
        let pem = lock("aes-128-cbc").pem(&key).unwrap();
        let read = PKey::private_key_from_pem_passphrase(&pem, b"secret").unwrap();
        assert!(read.public_eq(&key));
        for wrong in ["none", "CN", "a\0b"] {
            assert!(lock(wrong).pem(&key).is_err(), "{wrong}");
        }
        let unknown = KeyKind::parse("ec:none", &[]).unwrap().generate(None);
        assert_eq!(
            unknown.err().unwrap().code(),
            ["TLS", "CA", "OPTION", "-newkey", "ec_paramgen_curve:none"]
        );
    }
}
