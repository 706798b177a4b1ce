//! What `-info` tells about a message.

use crate::cms::ber::{Kind, Skeleton, elements};
use crate::cms::encoded_oid_name;
use crate::cms::verify::{Report, Verdict};
use crate::error::{Error, Result};
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
    record
}

/// What a signed message says and what became of its checks.
pub(super) fn signed(report: &Report, outcome: &Result<()>) -> Record {
    let mut record = Record::new();
    record.put("type", Kind::Signed.name());
    if let Some((_, oid)) = elements(&report.inner_type).next() {
        record.put("contentType", encoded_oid_name(oid));
    }
    record.put("verified", outcome.is_ok());
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
        let names: Vec<Value> = elements(list)
            .flat_map(|(_, list)| elements(list))
            .filter_map(|(_, one)| elements(one).next())
            .map(|(_, oid)| Value::Str(encoded_oid_name(oid)))
            .collect();
        record.put("capabilities", names);
    }
    record.put("revocationChecked", signer.revocation_checked);
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
