//! The three ways to ask for a certificate: a request, a self-signed certificate, and a signed public key with fields.

use openssl::pkey::{HasPublic, PKey, PKeyRef, Public};
use openssl::x509::{X509, X509NameRef, X509Req};

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::spkac::Spkac;
use crate::x509::{load, name};

use super::parallel;
use super::watch::{Nobody, Steps};

/// How a file is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Text between BEGIN and END lines.
    Pem,
    /// Bytes.
    Der,
}

/// Somebody who asks for a certificate.
pub(crate) struct Applicant {
    /// What is asked for, as a request; one made of a certificate or a bare key has no signature. Its key may not be
    /// decoded.
    pub(crate) request: X509Req,
    /// The key to be certified.
    pub(crate) key: PKey<Public>,
    /// Whether the request is signed, and so one that somebody sent.
    pub(crate) signed: bool,
    /// The file's name, for messages.
    pub(crate) source: String,
    /// Whether the output is to be DER, as it is for a signed public key.
    pub(crate) wants_der: bool,
}

impl Applicant {
    /// A certificate request, whose signature must be its key's unless the possession of the key is `proven` otherwise.
    pub(crate) fn request(
        bytes: &[u8],
        proven: bool,
        encoding: Option<Encoding>,
        source: &str,
        parameters: &[String],
    ) -> Result<Self> {
        let read = match encoding {
            Some(Encoding::Pem) => X509Req::from_pem(bytes).ok().map(|request| (request, None)),
            Some(Encoding::Der) => X509Req::from_der(bytes).ok().map(|request| (request, None)),
            None => load::request_with_key(bytes).ok(),
        };
        let (request, key) = read.ok_or_else(|| unreadable(source, "certificate request"))?;
        let key = match key {
            Some(key) => key,
            None => request.public_key().map_err(|_| no_key(source))?,
        };
        for parameter in parameters {
            ossl::sign::set_request_id(&request, &signer_id(parameter)?).map_err(|stack| {
                ossl::error::failed("can't set the signer's identifier", &stack)
            })?;
        }
        check_signature(proven || request.verify(&key).unwrap_or(false), source)?;
        Ok(Self {
            request,
            key,
            signed: true,
            source: source.to_owned(),
            wants_der: false,
        })
    }

    /// Many certificate requests, each with its source: each is read, or refused.
    pub(crate) fn requests(
        loaded: &[(String, Vec<u8>)],
        proven: bool,
        encoding: Option<Encoding>,
        parameters: &[String],
    ) -> Result<Vec<Result<Self>>> {
        let mut nobody = Nobody;
        let steps = Steps::certificates(&mut nobody, loaded.len());
        parallel::map(loaded, steps, |(source, bytes)| {
            Ok(Self::request(bytes, proven, encoding, source, parameters))
        })
    }

    /// A self-signed certificate, which is taken for its subject and its key.
    pub(crate) fn certificate(
        certificate: &X509,
        source: &str,
        parameters: &[String],
    ) -> Result<Self> {
        let key = certificate.public_key().map_err(|_| no_key(source))?;
        for parameter in parameters {
            ossl::sign::set_certificate_id(certificate, &signer_id(parameter)?).map_err(
                |stack| ossl::error::failed("can't set the signer's identifier", &stack),
            )?;
        }
        check_signature(certificate.verify(&key).unwrap_or(false), source)?;
        Self::unsigned(certificate.subject_name(), key, source, false)
    }

    /// A signed public key and challenge among the fields of the subject.
    pub(crate) fn spkac(bytes: &[u8], source: &str, utf8: bool) -> Result<Self> {
        let conf = super::config::parse(bytes, source)?;
        let mut attributes = Vec::new();
        let mut spkac = None;
        for (key, value) in conf.section("default").unwrap_or_default() {
            let kind = field_name(&key);
            if kind == "SPKAC" {
                spkac = Some(Spkac::parse(&value).map_err(|_| unreadable(source, "SPKAC"))?);
            } else if known(kind) {
                let kind = kind.to_owned();
                check_characters(&value, utf8, source)?;
                attributes.push(vec![name::Attribute { kind, value }]);
            } else {
                let message = format!("\"{source}\" has the unknown field {kind}");
                return Err(Error::failed_with(Reason::CaRead, [source, kind], message));
            }
        }
        let spkac = spkac.ok_or_else(|| unreadable(source, "SPKAC"))?;
        let key = spkac.key().map_err(|_| no_key(source))?;
        check_signature(spkac.is_signed_by(&key), source)?;
        let subject = name::build(&attributes).map_err(|problem| {
            let message = format!("\"{source}\": {problem}");
            Error::failed_with(Reason::CaRead, [source], message)
        })?;
        Self::unsigned(&subject, key, source, true)
    }

    /// An applicant who has no request of his own.
    fn unsigned(
        subject: &X509NameRef,
        key: PKey<Public>,
        source: &str,
        wants_der: bool,
    ) -> Result<Self> {
        let made = X509Req::builder().and_then(|mut builder| {
            builder.set_subject_name(subject)?;
            builder.set_pubkey(&key)?;
            Ok(builder.build())
        });
        let request = made.map_err(|stack| ossl::error::failed("can't make a request", &stack))?;
        Ok(Self {
            request,
            key,
            signed: false,
            source: source.to_owned(),
            wants_der,
        })
    }
}

/// Reads a certificate, PEM or DER.
pub(crate) fn certificate(bytes: &[u8], source: &str) -> Result<X509> {
    X509::from_pem(bytes)
        .or_else(|_| X509::from_der(bytes))
        .map_err(|_| unreadable(source, "certificate"))
}

/// A certificate that the authority may have issued, and that is only held against a record: its own key need not be
/// decoded.
pub(super) fn held(bytes: &[u8]) -> Option<X509> {
    load::certificate_without_key(bytes).or_else(|| certificate(bytes, "certificate").ok())
}

/// Whether two keys are the same.
pub(crate) fn same_key<A: HasPublic, B: HasPublic>(one: &PKeyRef<A>, other: &PKeyRef<B>) -> bool {
    one.public_eq(other)
}

/// Checks that a text has no characters beyond Latin-1, unless it is said to be UTF-8.
pub(crate) fn check_characters(text: &str, utf8: bool, source: &str) -> Result<()> {
    match utf8 || text.chars().all(|c| u32::from(c) < 0x100) {
        true => Ok(()),
        false => Err(Error::failed_with(
            Reason::CaOption,
            ["-utf8"],
            format!("\"{source}\" has characters that need -utf8"),
        )),
    }
}

/// A field's name without what tells several of a kind apart: `OU` of `1.OU`.
pub(crate) fn field_name(key: &str) -> &str {
    match key.split_once([':', ',', '.']) {
        Some((_, kind)) if !kind.is_empty() => kind,
        _ => key,
    }
}

/// Whether OpenSSL knows a kind of field.
fn known(kind: &str) -> bool {
    !kind.contains('\0') && openssl::asn1::Asn1Object::from_str(kind).is_ok()
}

/// The identifier that a parameter of `-vfyopt` gives: `distid:text` or `hexdistid:digits`.
fn signer_id(parameter: &str) -> Result<Vec<u8>> {
    let refused = || {
        let message = format!(
            "bad parameter \"{parameter}\" for -vfyopt: must be distid:TEXT or hexdistid:DIGITS"
        );
        Error::failed_with(Reason::CaOption, ["-vfyopt"], message)
    };
    match parameter.split_once(':') {
        Some(("distid", text)) => Ok(text.as_bytes().to_vec()),
        Some(("hexdistid", digits)) if digits.len() % 2 == 0 => {
            let pairs = digits.as_bytes().chunks(2);
            let byte = |pair: &[u8]| match pair {
                [high, low] => {
                    Some(super::serial::hex_value(*high)? << 4 | super::serial::hex_value(*low)?)
                }
                _ => None,
            };
            pairs.map(byte).collect::<Option<_>>().ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}

/// The error for a file that doesn't hold what it should.
fn unreadable(source: &str, what: &str) -> Error {
    let why = reasons_text(&ossl::error::queue());
    let why = match why.as_str() {
        "unknown reason" => String::new(),
        why => format!(": {why}"),
    };
    Error::failed_with(
        Reason::CaRead,
        [source],
        format!("can't read a {what} from \"{source}\"{why}"),
    )
}

/// The error for a public key that can't be used.
fn no_key(source: &str) -> Error {
    ossl::error::queue();
    let message = format!("the public key in \"{source}\" can't be used");
    Error::failed_with(Reason::CaVerify, [source], message)
}

/// The error for a signature that isn't its key's.
fn check_signature(good: bool, source: &str) -> Result<()> {
    ossl::error::queue();
    match good {
        true => Ok(()),
        false => {
            let message = format!("the signature in \"{source}\" doesn't fit its public key");
            Err(Error::failed_with(Reason::CaVerify, [source], message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_kind_are_told_apart_by_a_prefix() {
        assert_eq!(field_name("OU"), "OU");
        assert_eq!(field_name("1.OU"), "OU");
        assert_eq!(field_name("x:y.z"), "y.z");
        assert_eq!(field_name("x."), "x.");
    }

    #[test]
    fn identifiers_of_signers_are_text_or_digits() {
        assert_eq!(signer_id("distid:a:b").unwrap(), b"a:b");
        assert_eq!(signer_id("hexdistid:0aFF").unwrap(), [0x0a, 0xff]);
        for bad in ["distid", "hexdistid:0", "hexdistid:0g", "other:1"] {
            assert!(signer_id(bad).is_err(), "{bad}");
        }
    }
}
