//! What a request asks for by extensions, and what of it a certificate gets.

use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Extension};

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::x509_draft;
use crate::value::{Record, Value};
use crate::x509::frame::{self, Extension};
use crate::x509::{der, oid};

use super::request::Applicant;

/// What becomes of the extensions that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copying {
    /// They are left out.
    None,
    /// Those that the profile doesn't set are copied.
    Missing,
    /// All are copied, and replace the profile's.
    All,
}

/// An extension that was asked for.
pub(super) struct Asked {
    /// Its object identifier, by name where it has one.
    kind: String,
    /// Whether it is to be critical.
    critical: bool,
    /// The whole of it.
    extension: X509Extension,
    /// The DER of its value.
    value: Vec<u8>,
    /// Whether it was copied.
    copied: bool,
    /// Whether it says CA:TRUE.
    authority: bool,
}

impl Asked {
    /// Its name.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether the certificate has got it.
    pub(super) fn is_copied(&self) -> bool {
        self.copied
    }

    /// What `-confirm` is told of it: the value as OpenSSL prints it, or else in hexadecimal.
    pub(super) fn record(&self) -> Value {
        let mut record = Record::new();
        record.put("name", self.kind.as_str());
        record.put("critical", self.critical);
        let printed = ossl::print::extension(&self.extension);
        let value = match printed {
            Some(text) => String::from_utf8_lossy(&text).trim().to_owned(),
            None => der::hex(&self.value),
        };
        record.put("value", value);
        record.put("copied", self.copied);
        Value::Record(record)
    }
}

/// Gives a certificate what was asked for, as far as `copying` allows; tells everything that was asked for.
pub(super) fn copy(
    certificate: &X509,
    applicant: &Applicant,
    copying: Copying,
    warnings: &mut Vec<String>,
) -> Result<Vec<Asked>> {
    if !applicant.signed {
        return Ok(Vec::new());
    }
    let der = applicant.request.to_der().map_err(|stack| failed(&stack))?;
    let requested = frame::request(&der).map(|request| request.extensions);
    let mut all = Vec::new();
    for extension in requested.unwrap_or_default() {
        let kind = Asn1Object::from_str(&extension.oid).map_err(|stack| failed(&stack))?;
        let value = Asn1OctetString::new_from_bytes(extension.value);
        let made = value
            .and_then(|value| X509Extension::new_from_der(&kind, extension.critical, &value))
            .map_err(|stack| failed(&stack))?;
        let copied = match copying {
            Copying::None => false,
            Copying::Missing => x509_draft::find(certificate, &kind).is_none(),
            Copying::All => true,
        };
        let authority = is_authority(&extension);
        if authority && copied && copying == Copying::Missing {
            let message = format!(
                "\"{}\" asks to become an authority, and the extensions of the profile don't rule it out",
                applicant.source
            );
            let details = ["basicConstraints", "CA:FALSE"];
            return Err(Error::failed_with(Reason::CaPolicy, details, message));
        }
        if copied {
            check_names(&extension, &applicant.source)?;
            while let Some(place) = x509_draft::find(certificate, &kind) {
                x509_draft::remove(certificate, place);
            }
            x509_draft::append(certificate, &made).map_err(|stack| failed(&stack))?;
        }
        all.push(Asked {
            kind: oid::short_name(&extension.oid),
            critical: extension.critical,
            value: extension.value.to_vec(),
            extension: made,
            copied,
            authority,
        });
    }
    if let Some(asked) = all.iter().find(|asked| asked.authority) {
        let warning = match asked.copied {
            true => "the applicant becomes an authority: CA:TRUE was copied from the request",
            false => {
                "the applicant asks to become an authority: CA:TRUE wasn't copied from the request"
            }
        };
        warnings.push(warning.to_owned());
    }
    Ok(all)
}

/// Refuses alternative names that hold a null character, at which programs in C would take them to end.
fn check_names(extension: &Extension<'_>, source: &str) -> Result<()> {
    /// Addresses of mail, names of hosts, and URIs, which are strings.
    const STRINGS: [u8; 3] = [
        der::tag::context(1),
        der::tag::context(2),
        der::tag::context(6),
    ];
    let names = match extension.oid.as_str() {
        "2.5.29.17" => der::one(extension.value).and_then(|value| value.open(der::tag::SEQUENCE)),
        _ => None,
    };
    let mut names = names.unwrap_or_default().into_iter();
    match names.any(|name| STRINGS.contains(&name.tag) && name.content.contains(&0)) {
        true => {
            let message = format!("an alternative name in \"{source}\" holds a null character");
            let details = ["subjectAltName", "text"];
            Err(Error::failed_with(Reason::CaPolicy, details, message))
        }
        false => Ok(()),
    }
}

/// Whether an extension says CA:TRUE.
fn is_authority(extension: &Extension<'_>) -> bool {
    let parts = der::one(extension.value).and_then(|value| value.open(der::tag::SEQUENCE));
    let first = parts.and_then(|parts| parts.first().copied());
    extension.oid == "2.5.29.19"
        && first.is_some_and(|first| first.expect(der::tag::BOOLEAN).is_some())
}

/// The error for a failure of OpenSSL that no input explains.
fn failed(stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    let message = format!("can't copy the extensions of the request: {why}");
    Error::failed(Reason::CaCreate, message)
}
