//! What `-info` tells about a message.

use crate::cms::ber::{Kind, Skeleton, elements};
use crate::cms::book::ciphers;
use crate::cms::receipt::{From, Request};
use crate::cms::recipients::recipients;
use crate::cms::verify::{Report, Verdict};
use crate::cms::{Named, encoded_oid_name};
use crate::error::{Error, Result};
use crate::ossl::cms::RecipientKind;
use crate::value::{Record, Value};
use crate::x509::{der, describe, time};

/// The type of a message, of what is inside, and the cipher if there is one.
pub(super) fn message(skeleton: &Skeleton) -> Record {
    let mut record = Record::new();
    record.put("type", skeleton.kind.name());
    let mut inner = elements(&skeleton.inner);
    if let Some((_, oid)) = inner.next() {
        record.put("contentType", encoded_oid_name(oid));
    }
    if let Some((_, algorithm)) = inner.next()
        && let Some((_, oid)) = elements(algorithm).next()
    {
        record.put("cipher", encoded_oid_name(oid));
    }
    let recipients: Vec<Value> = match skeleton.kind {
        Kind::Enveloped | Kind::AuthEnveloped => recipients(skeleton),
        _ => Vec::new(),
    }
    .into_iter()
    .map(|reading| {
        let mut record = Record::new();
        record.put("kind", kind_name(reading.kind));
        let names: Vec<Value> = reading
            .names
            .iter()
            .map(|id| Value::Record(named(id)))
            .collect();
        record.put("names", names);
        Value::Record(record)
    })
    .collect();
    if !recipients.is_empty() {
        record.put("recipients", recipients);
    }
    record
}

/// The way in which a recipient gets the key.
const fn kind_name(kind: RecipientKind) -> &'static str {
    match kind {
        RecipientKind::KeyTransport => "keyTransport",
        RecipientKind::KeyAgreement => "keyAgreement",
        RecipientKind::SharedKey => "secretKey",
        RecipientKind::Password => "password",
        RecipientKind::Other => "other",
    }
}

/// How a certificate or key is named.
fn named(name: &Named) -> Record {
    let mut record = Record::new();
    match name {
        Named::Issuer(issuer, serial) => {
            record.put("issuer", issuer.as_str());
            record.put("serialNumber", serial.as_str());
        }
        Named::Id(id) => record.put("keyId", der::hex_upper(id)),
    }
    record
}

/// The requests for receipts in a message, as the program shows them.
pub(super) fn receipt_requests(report: &Report) -> String {
    let mut text = String::new();
    for (index, signer) in report.signers.iter().enumerate() {
        text.push_str(&format!("Signer {}:\n", index + 1));
        let request = signer.receipt_request.as_ref().map(|request| {
            request
                .as_ref()
                .map(|request| Request::parse(request).map(|request| request.text()))
        });
        text.push_str(&match request {
            Ok(None) => "  No Receipt Request\n".to_owned(),
            Ok(Some(Some(request))) => request,
            Err(()) | Ok(Some(None)) => "  Receipt Request Parse Error\n".to_owned(),
        });
    }
    text
}

/// What a signed message says and what became of its checks.
pub(super) fn signed(report: &Report, outcome: &Result<()>) -> Record {
    let mut record = Record::new();
    record.put("type", Kind::Signed.name());
    if let Some((_, oid)) = elements(&report.inner_type).next() {
        record.put("contentType", encoded_oid_name(oid));
    }
    record.put("verified", outcome.is_ok());
    if let Some(place) = &report.place {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        record.put("contentOffset", number(place.start));
        record.put("contentLength", number(place.end - place.start));
    }
    let signers: Vec<Value> = report
        .signers
        .iter()
        .map(|signer| Value::Record(verdict(signer)))
        .collect();
    record.put("signers", signers);
    let certificates: Vec<Value> = report
        .certificates
        .iter()
        .map(|certificate| Value::Record(describe::certificate(certificate)))
        .collect();
    record.put("certificates", certificates);
    record
}

/// One signer.
fn verdict(signer: &Verdict) -> Record {
    let mut record = Record::new();
    record.put("verified", signer.error.is_none());
    if let Some(error) = &signer.error {
        record.put("error", error.message());
        record.put("errorCode", error.code());
    }
    if signer.chain_error != 0 {
        record.put(
            "certificateError",
            &*crate::x509::verify::name(signer.chain_error),
        );
    }
    if let Some(id) = &signer.id {
        record.put("id", Value::Record(named(id)));
    }
    if let Some(certificate) = &signer.certificate {
        record.put(
            "certificate",
            Value::Record(describe::certificate(certificate)),
        );
    }
    record.put("digest", signer.digest.long_name().unwrap_or_default());
    record.put(
        "signature",
        signer.signature.long_name().unwrap_or_default(),
    );
    if let Some(seconds) = signer
        .time
        .as_deref()
        .and_then(der::one)
        .and_then(time::seconds)
    {
        record.put("signingTime", seconds);
    }
    if let Some(list) = &signer.capabilities {
        let names: Vec<Value> = ciphers(list).into_iter().map(Value::Str).collect();
        record.put("capabilities", names);
    }
    if let Ok(Some(request)) = &signer.receipt_request
        && let Some(request) = Request::parse(request)
    {
        record.put("receiptRequest", Value::Record(receipt_request(request)));
    }
    record.put("revocationChecked", signer.revocation_checked);
    record
}

/// A request for receipts.
fn receipt_request(request: Request) -> Record {
    let mut record = Record::new();
    record.put("id", der::hex_upper(&request.id));
    match request.from {
        From::All => record.put("from", "all"),
        From::FirstTier => record.put("from", "first"),
        From::Unknown(number) => record.put("from", u32::from(number)),
        From::List(list) => record.put("from", list),
    }
    record.put("to", request.to);
    record
}

/// An error with the exit status that the program would have added.
pub(super) fn with_status(error: Error, status: i32) -> Error {
    match error {
        Error::Failed {
            reason,
            mut details,
            message,
        } => {
            details.push(status.to_string());
            Error::Failed {
                reason,
                details,
                message,
            }
        }
        other => other,
    }
}
