//! Answers of OCSP (RFC 6960) for the authority's own certificates, each from one look into the database.
//!
//! Requests are read and answers encoded here; OpenSSL hashes and signs. A request that can't be answered gets one of
//! the protocol's unsigned error answers, which is no failure of the command.

mod question;

use openssl::asn1::{Asn1Object, Asn1Time};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::x509::X509;

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::x509_draft;
use crate::value::{Record, Value};
use crate::x509::der::{self, tag};
use crate::x509::{frame, time};

use self::question::{BASIC, CertificateId};
use super::authority::{Authority, unsigned};
use super::crl::invalidity_and_hold;
use super::encode;
use super::issue::validity_of;
use super::revoke::Revocation;
use super::row::{Row, Status};
use super::store::Store;

/// Who answers, and how.
pub(crate) struct Responder<'a> {
    /// The authority that has issued the certificates.
    pub(crate) issuer: &'a X509,
    /// Who signs: the authority, or somebody to whom it gave that right.
    pub(crate) signer: &'a Authority,
    /// Certificates that go with the answer beside the signer's.
    pub(crate) others: &'a [X509],
    /// Whether no certificates go with the answer.
    pub(crate) bare: bool,
    /// Whether the signer is named by the hash of its key rather than by its name.
    pub(crate) by_key: bool,
    /// Now.
    pub(crate) now: i64,
    /// When there will be news at the latest.
    pub(crate) next_update: Option<i64>,
}

/// The answers without a signature (RFC 6960, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request isn't one.
    Malformed = 1,
    /// All the certificates are other authorities'.
    Unauthorized = 6,
}

impl Refusal {
    /// The protocol's word.
    const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformedRequest",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// An answer.
pub(crate) struct Answer {
    /// Its DER.
    pub(crate) der: Vec<u8>,
    /// What it says.
    pub(crate) record: Record,
}

/// What is known of a certificate.
enum Known {
    /// It isn't revoked.
    Good,
    /// It is.
    Revoked(Revocation),
    /// The authority hasn't issued it, or another one would have.
    Unknown,
}

/// Answers a request.
pub(crate) fn answer(
    responder: &Responder<'_>,
    request: &[u8],
    store: &mut dyn Store,
) -> Result<Answer> {
    let Some(question) = question::parse(request) else {
        return Ok(refusal(Refusal::Malformed));
    };
    let own = Identity::of(responder.issuer)?;
    let ours = question
        .ids
        .iter()
        .map(|id| own.is_named_by(id))
        .collect::<Result<Vec<_>>>()?;
    if !ours.contains(&true) {
        return Ok(refusal(Refusal::Unauthorized));
    }
    let mut singles = Vec::new();
    let mut records = Vec::new();
    for (id, ours) in question.ids.iter().zip(ours) {
        let row = match ours {
            true => store.record(&id.serial)?,
            false => None,
        };
        let known = known(row.as_ref(), responder.now)?;
        records.push(Value::Record(describe(id, &known)));
        singles.extend(single(responder, id, &known)?);
    }
    let extensions = match question.nonce {
        Some(nonce) => {
            let list = der::wrap(tag::SEQUENCE, nonce);
            der::wrap(tag::constructed(1), &list)
        }
        None => Vec::new(),
    };
    let data = encode::element(
        tag::SEQUENCE,
        &[
            &responder.id()?,
            &generalized(responder.now)?,
            &der::wrap(tag::SEQUENCE, &singles),
            &extensions,
        ],
    );
    let mut record = Record::new();
    record.put("status", "successful");
    record.put("nonce", question.nonce.is_some());
    record.put("thisUpdate", time::text(responder.now));
    if let Some(next) = responder.next_update {
        record.put("nextUpdate", time::text(next));
    }
    record.put("answers", records);
    Ok(Answer {
        der: responder.signed(&data)?,
        record,
    })
}

/// An answer without a signature.
fn refusal(refusal: Refusal) -> Answer {
    let mut record = Record::new();
    record.put("status", refusal.word());
    let code = der::wrap(tag::ENUMERATED, &[refusal as u8]);
    Answer {
        der: der::wrap(tag::SEQUENCE, &code),
        record,
    }
}

/// By what a request names an issuer.
struct Identity {
    /// The DER of its name.
    name: Vec<u8>,
    /// The bits of its key.
    key: Vec<u8>,
}

impl Identity {
    /// That of a certificate's subject.
    fn of(certificate: &X509) -> Result<Self> {
        let der = certificate.to_der().map_err(|stack| failed(&stack))?;
        let name = certificate.subject_name().to_der();
        let key = frame::certificate(&der).map(|frame| frame.key.bits.to_vec());
        Ok(Self {
            name: name.map_err(|stack| failed(&stack))?,
            key: key.unwrap_or_default(),
        })
    }

    /// Whether a request means this one. With a digest that nobody knows it means nobody.
    fn is_named_by(&self, id: &CertificateId<'_>) -> Result<bool> {
        let object = Asn1Object::from_str(&id.digest).map_err(|stack| failed(&stack))?;
        let nid = object.nid();
        let digest = match nid {
            Nid::UNDEF => None,
            nid => MessageDigest::from_nid(nid),
        };
        let Some(digest) = digest else {
            return Ok(false);
        };
        let of = |bytes: &[u8]| hash(digest, bytes).map_err(|stack| failed(&stack));
        Ok(*of(&self.name)? == *id.name && *of(&self.key)? == *id.key)
    }
}

/// What a record says.
fn known(row: Option<&Row>, now: i64) -> Result<Known> {
    let Some(row) = row else {
        return Ok(Known::Unknown);
    };
    Ok(match row.status {
        // What has ended without being revoked was good to its end.
        Status::Valid | Status::Expired => Known::Good,
        // Nobody writes this one; it says no time, but it is no recommendation.
        Status::Suspended => Known::Revoked(Revocation {
            date: now,
            reason: Some(6),
            hold: None,
            since: None,
        }),
        Status::Revoked => Known::Revoked(Revocation::parse(&row.revocation).map_err(|why| {
            let serial = row.serial.to_string();
            let message = format!("the record of certificate {serial}: {why}");
            Error::failed_with(Reason::CaDatabase, ["revocation", &serial], message)
        })?),
    })
}

/// What `-info` says of a certificate.
fn describe(id: &CertificateId<'_>, known: &Known) -> Record {
    let mut record = Record::new();
    record.put("serial", id.serial.to_string());
    let word = match known {
        Known::Good => "good",
        Known::Revoked(_) => "revoked",
        Known::Unknown => "unknown",
    };
    record.put("status", word);
    if let Known::Revoked(revocation) = known {
        record.put("revoked", time::text(revocation.date));
        if let Some(reason) = revocation.reason_name() {
            record.put("reason", reason);
        }
    }
    record
}

/// The answer about one certificate.
fn single(responder: &Responder<'_>, id: &CertificateId<'_>, known: &Known) -> Result<Vec<u8>> {
    let mut extensions = Vec::new();
    let status = match known {
        Known::Good => der::wrap(tag::context(0), &[]),
        Known::Unknown => der::wrap(tag::context(2), &[]),
        Known::Revoked(revocation) => {
            let date = generalized(revocation.date)?;
            let reason = revocation.reason.map(|reason| {
                let reason = der::wrap(tag::ENUMERATED, &[reason]);
                der::wrap(tag::constructed(0), &reason)
            });
            let list = invalidity_and_hold(revocation).map_err(|stack| failed(&stack))?;
            if !list.is_empty() {
                let list = der::wrap(tag::SEQUENCE, &list);
                extensions = der::wrap(tag::constructed(1), &list);
            }
            let reason = reason.unwrap_or_default();
            encode::element(tag::constructed(1), &[&date, &reason])
        }
    };
    let next = match responder.next_update {
        Some(next) => der::wrap(tag::constructed(0), &generalized(next)?),
        None => Vec::new(),
    };
    let this = generalized(responder.now)?;
    Ok(encode::element(
        tag::SEQUENCE,
        &[id.whole, &status, &this, &next, &extensions],
    ))
}

/// A time as OCSP has it.
fn generalized(seconds: i64) -> Result<Vec<u8>> {
    let text = time::generalized(seconds)
        .map_err(|problem| Error::failed(Reason::CaCreate, problem.to_string()))?;
    Ok(der::wrap(tag::GENERALIZED_TIME, text.as_bytes()))
}

impl Responder<'_> {
    /// Who answers, in the answer.
    fn id(&self) -> Result<Vec<u8>> {
        let own = Identity::of(self.signer.certificate()?)?;
        if !self.by_key {
            return Ok(der::wrap(tag::constructed(1), &own.name));
        }
        // The protocol has it so, whatever digest signs.
        let key = hash(MessageDigest::sha1(), &own.key).map_err(|stack| failed(&stack))?;
        let key = der::wrap(tag::OCTET_STRING, &key);
        Ok(der::wrap(tag::constructed(2), &key))
    }

    /// The whole answer.
    fn signed(&self, data: &[u8]) -> Result<Vec<u8>> {
        let refused = |refused| unsigned("OCSP response", &refused);
        let signature = self.signer.signer().bytes(&[data]).map_err(refused)?;
        let signature = encode::element(tag::BIT_STRING, &[&[0], &signature]);
        let certificates = match self.bare {
            true => Vec::new(),
            false => {
                let mut all = Vec::new();
                for certificate in std::iter::once(self.signer.certificate()?).chain(self.others) {
                    all.extend(certificate.to_der().map_err(|stack| failed(&stack))?);
                }
                der::wrap(tag::constructed(0), &der::wrap(tag::SEQUENCE, &all))
            }
        };
        let algorithm = self.algorithm()?;
        let basic = encode::element(
            tag::SEQUENCE,
            &[data, &algorithm, &signature, &certificates],
        );
        let kind = der::wrap(tag::OID, BASIC);
        let basic = der::wrap(tag::OCTET_STRING, &basic);
        let bytes = encode::element(tag::SEQUENCE, &[&kind, &basic]);
        let bytes = der::wrap(tag::constructed(0), &bytes);
        let successful = der::wrap(tag::ENUMERATED, &[0]);
        Ok(encode::element(tag::SEQUENCE, &[&successful, &bytes]))
    }

    /// The signature's algorithm. Where OpenSSL doesn't tell it, something else that the same signer has signed does.
    fn algorithm(&self) -> Result<Vec<u8>> {
        let told = self.signer.signer().algorithm();
        if let Some(told) = told.map_err(|refused| unsigned("OCSP response", &refused))? {
            return Ok(told);
        }
        let certificate = self.signer.certificate()?;
        let moment = Asn1Time::from_unix(0).map_err(|stack| failed(&stack))?;
        let specimen = x509_draft::new_crl(certificate.subject_name(), &moment, &moment)
            .map_err(|stack| failed(&stack))?;
        let signed = self.signer.signer().crl(&specimen);
        signed.map_err(|refused| unsigned("OCSP response", &refused))?;
        let der = specimen.to_der().map_err(|stack| failed(&stack))?;
        let parts = der::one(&der).and_then(|whole| whole.open(tag::SEQUENCE));
        let algorithm = parts.and_then(|parts| parts.get(1).map(|part| part.whole.to_vec()));
        algorithm.ok_or_else(|| Error::failed(Reason::CaCreate, "a signature without algorithm"))
    }
}

/// Checks that a certificate gives the right to sign answers for an authority.
pub(crate) fn check_signer(signer: &X509, issuer: &X509, source: &str, now: i64) -> Result<()> {
    let refused = |why: &str| {
        let message = format!("\"{source}\" can't sign OCSP answers for the authority: {why}");
        Err(Error::failed_with(Reason::CaVerify, [source], message))
    };
    let (start, end) = validity_of(signer)?;
    if now < start || now >= end {
        return refused("it isn't valid now");
    }
    let der = signer.to_der().map_err(|stack| failed(&stack))?;
    if der == issuer.to_der().map_err(|stack| failed(&stack))? {
        return Ok(());
    }
    let own = issuer.public_key().and_then(|key| signer.verify(&key));
    ossl::error::queue();
    if !own.unwrap_or(false) {
        return refused("it was issued by somebody else");
    }
    let uses = frame::certificate(&der).map(|frame| frame.extensions);
    let may = uses.unwrap_or_default().iter().any(|extension| {
        let uses = der::one(extension.value).and_then(|list| list.open(tag::SEQUENCE));
        extension.oid == EXTENDED_KEY_USAGE
            && uses.is_some_and(|uses| {
                uses.iter()
                    .any(|kind| kind.expect(tag::OID) == Some(OCSP_SIGNING))
            })
    });
    match may {
        true => Ok(()),
        false => refused("its extended key usage lacks OCSPSigning"),
    }
}

/// The extension of extended key usage, and the usage that is the right to sign answers.
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// The error for a failure of OpenSSL that no input explains.
fn failed(stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    let message = format!("can't make the OCSP response: {why}");
    Error::failed(Reason::CaCreate, message)
}
