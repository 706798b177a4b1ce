//! Certificates, requests and revocation lists as records: what `tls::status` shows of a certificate, and more.
//!
//! One record has the keys of all the dialects of TclTLS. Where they differ:
//!
//! * `version` is the certificate's version, as in 1.8 and 2.0; in 1.7 it was the connection's protocol.
//! * `extensions` lists names alone, as the 1.8 manual says; 2.0 put a 0 or 1 after each for "critical". Those that
//!   are critical are listed by `criticalExtensions`.
//! * `sha1_hash` and all other hexadecimal is lower-case, as in 1.8 and 2.0; 1.7 had the hashes in upper case.
//!   `serial` and `serialNumber` are upper-case as everywhere, but always in one piece: TclTLS breaks the line after
//!   35 bytes.
//! * `bits` and `publicKeyAlgorithm` are those of this certificate's key; 2.0 told them of the signature.
//! * `publicKey` holds the key's bits without the algorithm, as in 2.0. `publicKeyHash` is the SHA-256 of the whole
//!   SubjectPublicKeyInfo in DER, which is what pins are made of; 2.0 left it empty.
//! * `selfSigned` means that the certificate's own key made the signature, which is checked; `selfIssued` means only
//!   that the two names are equal.
//! * `keyUsage` and `extendedKeyUsage` are `unrestricted` if the extension is missing, empty if it is malformed.
//! * `certificate` and `all` are text, never cut.
//!
//! A key whose value can't be read, because the certificate is malformed or made of something that this OpenSSL
//! doesn't know, is there and empty. Nothing that a certificate holds makes any function here fail.

use openssl::hash::MessageDigest;
use openssl::x509::{X509Ref, X509ReqRef};

use super::der::{self, Element};
use super::extension_values::{self as values, Lookup, id, look_up};
use super::frame::{self, Extension, Key};
use super::name::{self, Form};
use super::{oid, time};
use crate::ossl::error::QueueGuard;
use crate::ossl::{print, x509};
use crate::value::Record;

/// The order in which `purpose` looks for the first use that fits, OpenSSL's number and TclTLS' name.
const PURPOSES: [(i32, &str); 7] = [
    (1, "SSL Client"),
    (2, "SSL Server"),
    (3, "MSS SSL Server"),
    (4, "SMIME Signing"),
    (5, "SMIME Encryption"),
    (6, "CRL Signing"),
    (7, "Any"),
];

/// Everything about a certificate.
pub(crate) fn certificate(certificate: &X509Ref) -> Record {
    let mut record = summary(certificate);
    record.put("all", dump(certificate));
    record
}

/// The value of the key `all`: what `openssl x509 -text` prints.
pub(crate) fn dump(certificate: &X509Ref) -> String {
    let _queue = QueueGuard::new();
    let dump = print::certificate(certificate, Form::RFC_2253.bits(), 0);
    text(&dump.unwrap_or_default())
}

/// Everything about a certificate but the text dump `all`, which costs more than the rest together.
pub(crate) fn summary(certificate: &X509Ref) -> Record {
    let _queue = QueueGuard::new();
    let der = certificate.to_der().unwrap_or_default();
    let frame = frame::certificate(&der).unwrap_or_default();
    let mut record = Record::new();
    algorithms(&mut record, certificate, &frame);
    holder(&mut record, certificate, &frame);
    key(
        &mut record,
        &frame.key,
        certificate.public_key().ok().map(|key| key.bits()),
    );
    fingerprints(&mut record, &der);
    uses(&mut record, certificate);
    record.put("issuerUniqueId", frame.issuer_id);
    record.put("issuerUniqueID", frame.issuer_id);
    record.put("subjectUniqueId", frame.subject_id);
    record.put("subjectUniqueID", frame.subject_id);
    extensions(&mut record, &frame.extensions);
    proxy_limit(&mut record, certificate);
    record.put("alias", text(certificate.alias().unwrap_or_default()));
    record.put("keyId", text(x509::key_id(certificate)));
    record.put(
        "certificate",
        text(&certificate.to_pem().unwrap_or_default()),
    );
    record
}

/// Everything about a certificate request.
pub(crate) fn request(request: &X509ReqRef) -> Record {
    let _queue = QueueGuard::new();
    let der = request.to_der().unwrap_or_default();
    let frame = frame::request(&der).unwrap_or_default();
    let public_key = request.public_key().ok();
    let mut record = Record::new();
    record.put("version", request.version().saturating_add(1));
    record.put("subject", name::rfc_2253(request.subject_name()));
    record.put("signatureAlgorithm", oid::long_name(&frame.algorithm));
    record.put("signatureValue", der::hex(frame.signature));
    let proven = public_key
        .as_ref()
        .is_some_and(|key| request.verify(key).unwrap_or(false));
    record.put("signatureValid", proven);
    key(&mut record, &frame.key, public_key.map(|key| key.bits()));
    let mut attributes = Record::new();
    for (kind, values) in &frame.attributes {
        let values = values.iter().map(|value| {
            let text = value.text();
            text.unwrap_or_else(|| format!("#{}", der::hex_upper(value.whole)))
        });
        attributes.put(&oid::long_name(kind), values.collect::<Vec<_>>());
    }
    record.put("attributes", attributes);
    extensions(&mut record, &frame.extensions);
    record.put("request", text(&request.to_pem().unwrap_or_default()));
    let dump = print::request(request, Form::RFC_2253.bits(), 0);
    record.put("all", text(&dump.unwrap_or_default()));
    record
}

/// How the certificate was signed.
fn algorithms(record: &mut Record, certificate: &X509Ref, frame: &frame::Certificate<'_>) {
    let algorithm = oid::long_name(&frame.algorithm);
    let digest = x509::signing_digest(certificate);
    let digest_name = digest.and_then(|digest| digest.long_name().ok());
    let digest_name = digest_name.unwrap_or_default();
    let signed = digest
        .and_then(MessageDigest::from_nid)
        .and_then(|digest| certificate.digest(digest).ok());
    record.put("signatureAlgorithm", algorithm.as_str());
    record.put("signature_algorithm", algorithm.as_str());
    record.put("signatureValue", der::hex(frame.signature));
    record.put("version", certificate.version().saturating_add(1));
    record.put("signature", oid::long_name(&frame.inner_algorithm));
    record.put("signingDigest", digest_name);
    record.put("signatureDigest", digest_name);
    record.put("digest", digest_name);
    let signed = signed.as_deref().map(der::hex).unwrap_or_default();
    record.put("signatureHash", signed);
}

/// Who holds the certificate, from whom, and for how long.
fn holder(record: &mut Record, certificate: &X509Ref, frame: &frame::Certificate<'_>) {
    let serial = der::integer_hex(frame.serial);
    record.put("serialNumber", serial.as_str());
    record.put("serial", serial);
    record.put("issuer", name::rfc_2253(certificate.issuer_name()));
    record.put("notBefore", moment(frame.not_before));
    record.put("notAfter", moment(frame.not_after));
    record.put("subject", name::rfc_2253(certificate.subject_name()));
}

/// The public key; `bits` is its size, if OpenSSL knows that kind of key.
fn key(record: &mut Record, key: &Key<'_>, bits: Option<u32>) {
    let algorithm = oid::long_name(&key.algorithm);
    record.put("publicKeyAlgorithm", algorithm.as_str());
    record.put("public_key_algorithm", algorithm);
    match bits {
        Some(bits) => record.put("bits", bits),
        None => record.put("bits", ""),
    }
    record.put("publicKey", der::hex(key.bits));
    record.put("publicKeyHash", hash(MessageDigest::sha256(), key.whole));
}

/// The hashes of the whole certificate.
fn fingerprints(record: &mut Record, der: &[u8]) {
    record.put("sha1_hash", hash(MessageDigest::sha1(), der));
    record.put("sha256_hash", hash(MessageDigest::sha256(), der));
}

/// What the certificate may be used for in OpenSSL's view.
fn uses(record: &mut Record, certificate: &X509Ref) {
    let fits = |purpose, authority| x509::check_purpose(certificate, purpose, authority) > 0;
    let first = PURPOSES.iter().find(|(purpose, _)| fits(*purpose, false));
    record.put("purpose", first.map(|(_, name)| *name).unwrap_or_default());
    let mut all = Record::new();
    for purpose in x509::purposes() {
        let answer = |authority| match fits(purpose.id, authority) {
            true => "Yes",
            false => "No",
        };
        let mut answers = Record::new();
        answers.put("nonCA", answer(false));
        answers.put("CA", answer(true));
        all.put(&purpose.name, answers);
    }
    record.put("certificatePurpose", all);
    let flags = x509::extension_flags(certificate);
    let is = |flag: u32| flags & flag != 0;
    let self_signed = is(x509::flag::SELF_ISSUED) && x509::is_self_signed(certificate);
    record.put("extFlags", flags);
    record.put("extension_flags", flags);
    record.put("selfIssued", is(x509::flag::SELF_ISSUED));
    record.put("selfSigned", self_signed);
    record.put("self_signed", self_signed);
    record.put("isProxyCert", is(x509::flag::PROXY));
    record.put("extInvalid", is(x509::flag::INVALID));
    record.put("isCACert", x509::is_authority(certificate));
}

/// The names of the extensions.
fn extension_names(record: &mut Record, all: &[Extension<'_>]) {
    let names = |only_critical: bool| -> Vec<String> {
        all.iter()
            .filter(|extension| extension.critical || !only_critical)
            .map(|extension| oid::long_name(&extension.oid))
            .collect()
    };
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    record.put("extCount", count);
    record.put("num_extensions", count);
    record.put("extensions", names(false));
    record.put("criticalExtensions", names(true));
}

/// What the extensions say that certificates and requests have in common.
fn extensions(record: &mut Record, all: &[Extension<'_>]) {
    extension_names(record, all);
    let authority = look_up(all, id::AUTHORITY_KEY, values::authority_key);
    record.put("authorityKeyIdentifier", authority.or_default());
    let subject = look_up(all, id::SUBJECT_KEY, values::subject_key);
    record.put("subjectKeyIdentifier", subject.or_default());
    let unless_absent = |lookup: Lookup<Vec<String>>| match lookup {
        Lookup::Absent => vec!["unrestricted".to_owned()],
        found => found.or_default(),
    };
    let usage = look_up(all, id::KEY_USAGE, values::key_usage);
    record.put("keyUsage", unless_absent(usage));
    let names = |id| look_up(all, id, values::general_names).or_default();
    record.put("subjectAltName", names(id::SUBJECT_ALT_NAME));
    record.put("issuerAltName", names(id::ISSUER_ALT_NAME));
    let (authority, limit) = match look_up(all, id::BASIC_CONSTRAINTS, values::basic_constraints) {
        Lookup::Value(constraints) => constraints,
        Lookup::Absent | Lookup::Malformed => (false, -1),
    };
    record.put("pathLen", limit);
    record.put("basicConstraintsCA", authority);
    let usage = look_up(all, id::EXTENDED_KEY_USAGE, values::extended_key_usage);
    record.put("extendedKeyUsage", unless_absent(usage));
    let points = look_up(all, id::CRL_POINTS, values::crl_points);
    record.put("crlDistributionPoints", points.or_default());
    let info = look_up(all, id::AUTHORITY_INFO, values::authority_info);
    let (ocsp, issuers) = info.or_default();
    record.put("ocspResponders", ocsp.clone());
    record.put("ocsp", ocsp);
    record.put("caIssuers", issuers);
}

/// The limit of a proxy certificate stands in another extension, which OpenSSL reads.
fn proxy_limit(record: &mut Record, certificate: &X509Ref) {
    if x509::extension_flags(certificate) & x509::flag::PROXY != 0 {
        record.put("pathLen", x509::proxy_path_length(certificate));
    }
}

/// A moment as text; empty if there is none or it is no time.
fn moment(time: Option<Element<'_>>) -> String {
    let seconds = time.and_then(time::seconds);
    seconds.map(time::text).unwrap_or_default()
}

/// A hash in hexadecimal; empty if this OpenSSL is made not to have it.
fn hash(digest: MessageDigest, bytes: &[u8]) -> String {
    let hash = openssl::hash::hash(digest, bytes);
    hash.as_deref().map(der::hex).unwrap_or_default()
}

/// Bytes as text: UTF-8 if they are, else with what isn't ASCII made visible.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => der::visible(bytes),
    }
}

#[cfg(test)]
mod tests;
