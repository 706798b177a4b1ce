//! What a certificate looks like to others: as it is written, in the record of `-info`, and in the description that
//! `-confirm` gets.
//!
//! Knows neither database nor files. A description signs its draft with a throw-away key, so that draft is of no
//! further use.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Req};

use super::draft::Draft;
use super::{Issuer, failed};
use crate::ca::authority::unsigned;
use crate::ca::copying::Asked;
use crate::ca::request::Applicant;
use crate::ca::serial::Serial;
use crate::error::Result;
use crate::ossl;
use crate::ossl::x509_draft;
use crate::value::Record;
use crate::x509::{describe, name, pem, time};

impl Issuer<'_> {
    /// The certificate as it is written: text, if wanted, and PEM.
    pub(super) fn text(&self, der: &[u8]) -> Result<Vec<u8>> {
        let mut text = match self.profile.text {
            true => {
                // A draft doesn't have its key in the form that is printed.
                let certificate = X509::from_der(der).map_err(|stack| failed(&stack))?;
                ossl::print::certificate(&certificate, 0, 0)
                    .ok_or_else(|| failed(&ErrorStack::get()))?
            }
            false => Vec::new(),
        };
        text.extend(pem::text("CERTIFICATE", der));
        Ok(text)
    }

    /// What `-info` says of a certificate.
    pub(super) fn record(
        &self,
        applicant: &Applicant,
        draft: &Draft,
        der: &[u8],
        serial: &Serial,
        path: Option<&Path>,
    ) -> Record {
        let mut record = Record::new();
        record.put("serial", serial.to_string());
        record.put("subject", name::oneline(draft.certificate.subject_name()));
        record.put("notAfter", self.date(draft.end));
        record.put("source", applicant.source.as_str());
        if let Some(path) = path {
            record.put("file", path.display().to_string());
        }
        record.put("certificate", der.to_vec());
        put_findings(&mut record, draft);
        record
    }

    /// What `-confirm` is told.
    pub(super) fn description(&self, applicant: &Applicant, draft: &Draft) -> Result<Record> {
        // A throw-away key signs, so that the certificate can be taken apart like any other.
        let certificate = draft.certificate.clone();
        let key = openssl::pkey::PKey::generate_ed25519().map_err(|stack| failed(&stack))?;
        let signer = ossl::sign::Signer {
            key: &key,
            digest: None,
            options: &[],
            properties: None,
        };
        if x509_draft::count(&certificate) > 0 {
            x509_draft::set_version(&certificate, 2).map_err(|stack| failed(&stack))?;
        }
        signer
            .certificate(&certificate)
            .map_err(|refused| unsigned("certificate", &refused))?;
        let certificate = certificate.to_der().and_then(|der| X509::from_der(&der));
        let certificate = certificate.map_err(|stack| failed(&stack))?;
        let mut record = Record::new();
        record.put("operation", "issue");
        record.put("source", applicant.source.as_str());
        put_findings(&mut record, draft);
        let asked = draft.asked.iter().map(Asked::record);
        record.put("asked", asked.collect::<Vec<_>>());
        if applicant.signed {
            // Only so does it have its key in the form that is described.
            let request = applicant.request.to_der();
            let request = request.and_then(|der| X509Req::from_der(&der));
            let request = request.map_err(|stack| failed(&stack))?;
            record.put("request", describe::request(&request));
        }
        let mut shown = Record::new();
        for (key, value) in describe::summary(&certificate).iter() {
            if !OF_SIGNATURE.contains(&key) {
                shown.put(key, value.clone());
            }
        }
        record.put("certificate", shown);
        let (names, parts) = self.profile.shown;
        let text = ossl::print::certificate(&certificate, names, parts | ossl::print::UNSIGNED);
        let text = text.ok_or_else(|| failed(&ErrorStack::get()))?;
        record.put("text", String::from_utf8_lossy(&text).into_owned());
        Ok(record)
    }

    /// A date as `-dateopt` wants it.
    fn date(&self, seconds: i64) -> String {
        match self.profile.iso_dates {
            true => time::iso_8601(seconds),
            false => time::text(seconds),
        }
    }
}

/// What a description says of the signature and the serial number, which a draft doesn't have.
const OF_SIGNATURE: &[&str] = &[
    "signatureAlgorithm",
    "signature_algorithm",
    "signatureValue",
    "signature",
    "signingDigest",
    "signatureDigest",
    "digest",
    "signatureHash",
    "serialNumber",
    "serial",
    "sha1_hash",
    "sha256_hash",
    "certificate",
];

/// What was found out about a draft.
fn put_findings(record: &mut Record, draft: &Draft) {
    record.put("dropped", draft.dropped.clone());
    let copied = draft.asked.iter().filter(|asked| asked.is_copied());
    let copied = copied.map(|asked| asked.kind().to_owned());
    record.put("copied", copied.collect::<Vec<_>>());
    record.put("warnings", draft.warnings.clone());
}
