//! The real server: who sent a message and what he may, and the answer to it once somebody has decided.
//!
//! It keeps nothing between two messages. Whoever calls it keeps the first message of a transaction and what was
//! decided; later messages are answered by doing the first one over. So a transaction survives the process.

use std::cmp::Ordering;
use std::ffi::CString;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509Name, X509NameRef, X509VerifyResult};

use super::body::{self, Demand, Recall};
use super::client::{equip, stack};
use super::general::protect_anew;
use super::header::{self, Message as Header, Protection};
use super::names::Information;
use super::settings::Credentials;
use super::status;
use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl::chain;
use crate::ossl::cmp_message::Message;
use crate::ossl::cmp_notes::without_notes;
use crate::ossl::cmp_server::{
    BAD_REQUEST_ID, Confirmation, General, HASH_UNMATCHED, Issued, NONCE_UNMATCHED, NOT_ACCEPTED,
    Poll, Refusal, Request, Responder, Server, Status, UNEXPECTED_VERSION, confirmation_hash,
};
use crate::ossl::error::clear;
use crate::ossl::secret::Secret;
use crate::x509::der::{one, tag, wrap};
use crate::x509::{frame, time};

/// The status that makes the client ask again.
const WAITING: i32 = 3;

/// How the server is known, and whom it knows.
#[derive(Default)]
pub(crate) struct Office {
    /// Its certificate.
    pub(crate) certificate: Option<X509>,
    /// Its key.
    pub(crate) key: Option<PKey<Private>>,
    /// Its name where it has no certificate.
    pub(crate) name: Option<X509Name>,
    /// The properties that algorithms must have.
    pub(crate) properties: Option<CString>,
    /// The digest of its signatures, by name.
    pub(crate) digest: Option<String>,
    /// The message authentication code, by name.
    pub(crate) mac: Option<String>,
    /// Who vouches for clients.
    pub(crate) trusted: Option<X509Store>,
    /// Who vouches for registration authorities.
    pub(crate) authorities: Option<X509Store>,
    /// Certificates for building chains.
    pub(crate) untrusted: Vec<X509>,
    /// Certificates to send along.
    pub(crate) extra: Vec<X509>,
    /// Whether messages needn't be protected.
    pub(crate) accept_unprotected: bool,
    /// Whether a signer's certificate needn't be meant for signatures.
    pub(crate) ignore_key_usage: bool,
    /// Whether clients that ask for it are spared the confirmation.
    pub(crate) grant_implicit: bool,
}

/// Who sent a message, as far as he can be known before his protection is checked.
pub(crate) enum Identity {
    /// Somebody.
    Nobody,
    /// The owner of a secret.
    Secret(Secret),
    /// The holder of a certificate that somebody vouches for.
    Signer {
        /// The certificate.
        certificate: Box<X509>,
        /// Whether he is a registration authority.
        authority: bool,
    },
}

/// What the client is told.
#[derive(Clone)]
pub(crate) enum Decision {
    /// To ask again after some seconds.
    Later(i64),
    /// Here is the certificate.
    Issue {
        /// The certificate.
        certificate: Box<X509>,
        /// Certificates of authorities.
        authorities: Vec<X509>,
        /// Whether it differs from what was asked for.
        changed: bool,
    },
    /// No; or, to a revocation, yes.
    Tell(Status),
    /// The answers to a general message.
    Answers(Vec<Information>),
}

impl Default for Decision {
    fn default() -> Self {
        Self::Later(1)
    }
}

/// The first message of a transaction, and where it stands.
pub(crate) struct Earlier {
    /// The encoded message.
    pub(crate) request: Vec<u8>,
    /// The nonce of the server's last answer.
    pub(crate) nonce: Vec<u8>,
    /// The certificate that was sent.
    pub(crate) certificate: Option<X509>,
}

/// An answer.
pub(crate) struct Answer {
    /// The encoded message.
    pub(crate) message: Vec<u8>,
    /// Whether the client's message was in order, so that the decision counted.
    pub(crate) counted: bool,
    /// Whether the client has the certificate he wanted: only for a confirmation that was in order.
    pub(crate) confirmed: Option<bool>,
}

/// The error for something that OpenSSL doesn't take.
fn refused(entries: Vec<OpenSslEntry>) -> Error {
    let message = format!("the server fails: {}", reasons_text(&entries));
    Error::failed(Reason::CmpCreate, message)
}

/// The error for bytes that are no message.
fn unreadable() -> Error {
    Error::failed(Reason::CmpRead, "the message isn't a CMP message")
}

/// Reads what surrounds a message.
pub(crate) fn read(message: &[u8]) -> Result<Header> {
    header::message(message).ok_or_else(unreadable)
}

/// Reads what surrounds a message that somebody has sent. It must be DER: OpenSSL reads more than that, and checks the
/// protection of what it has read, so that what is read here could be something else.
pub(crate) fn receive(message: &[u8]) -> Result<Header> {
    clear();
    let read = Message::decode(message).and_then(|message| message.encode());
    let same = read.is_ok_and(|again| again == message);
    clear();
    match same {
        true => self::read(message),
        false => Err(unreadable()),
    }
}

impl Office {
    /// Who sent a message; `secret` is what belongs to his reference.
    pub(crate) fn identify(&self, header: &Header, secret: Option<Secret>) -> Identity {
        match (header.protection, secret) {
            (Protection::Secret, Some(secret)) => Identity::Secret(secret),
            (Protection::Signature, _) => self.signer(header).unwrap_or(Identity::Nobody),
            _ => Identity::Nobody,
        }
    }

    /// The signer of a message, if somebody vouches for him. His certificate is the first one.
    fn signer(&self, header: &Header) -> Option<Identity> {
        let mut all = header.extra.iter().map(|der| X509::from_der(der).ok());
        let certificate = all.next()??;
        let mut untrusted = Stack::new().ok()?;
        for other in all.flatten().chain(self.untrusted.iter().cloned()) {
            untrusted.push(other).ok()?;
        }
        let vouched = |store: &Option<X509Store>| {
            store.as_ref().is_some_and(|store| {
                let found = chain::check(store, &certificate, &untrusted, &[], c"default");
                found.is_ok_and(|found| found.result == X509VerifyResult::OK)
            })
        };
        let authority = vouched(&self.authorities);
        let known = authority || vouched(&self.trusted);
        clear();
        known.then(|| Identity::Signer {
            certificate: Box::new(certificate.clone()),
            authority,
        })
    }

    /// Makes sure that there can be answers.
    pub(crate) fn check(&self) -> Result<()> {
        clear();
        self.open(&Identity::Nobody, &[], &Desk::default())
            .map(drop)
    }

    /// What answers one message, by a decision.
    fn open(&self, identity: &Identity, reference: &[u8], desk: &Desk) -> Result<Server> {
        let mut credentials = Credentials {
            certificate: self.certificate.clone(),
            digest: self.digest.clone(),
            mac: self.mac.clone(),
            untrusted: self.untrusted.clone(),
            ignore_key_usage: self.ignore_key_usage,
            ..Credentials::default()
        };
        match identity {
            Identity::Secret(secret) => credentials.secret = Some(secret.clone()),
            _ => credentials.key.clone_from(&self.key),
        }
        let clerk = Clerk(Arc::clone(desk));
        let mut server =
            Server::new(Box::new(clerk), self.properties.as_deref()).map_err(refused)?;
        server.with_context(|context| {
            equip(context, &credentials)?;
            if !reference.is_empty() {
                context.set_reference(reference).map_err(refused)?;
            }
            if let Identity::Signer { certificate, .. } = identity {
                let done = context.set_server_certificate(certificate);
                done.map_err(refused)?;
            }
            if let (None, Some(name)) = (&self.certificate, &self.name) {
                context.set_subject(name).map_err(refused)?;
            }
            if !self.extra.is_empty() {
                let done = context.set_extra_certificates(&*stack(&self.extra)?);
                done.map_err(refused)?;
            }
            Ok(())
        })?;
        if credentials.secret.is_none() && self.key.is_none() {
            // There is nothing to protect them with.
            server.send_unprotected_errors();
        }
        // Who is known has protected his first message, and so has to protect the others.
        if self.accept_unprotected && matches!(identity, Identity::Nobody) {
            server.accept_unprotected();
        }
        if self.grant_implicit {
            server.grant_implicit_confirmation();
        }
        if matches!(
            identity,
            Identity::Signer {
                authority: true,
                ..
            }
        ) {
            server.accept_ra_verified();
        }
        Ok(server)
    }

    /// Answers a message by a decision: the first of its transaction, or one that comes after an earlier one.
    pub(crate) fn answer(
        &self,
        identity: &Identity,
        message: &[u8],
        decision: Decision,
        earlier: Option<&Earlier>,
    ) -> Result<Answer> {
        clear();
        let header = read(message)?;
        let answers = match &decision {
            Decision::Answers(answers) => answers.clone(),
            _ => Vec::new(),
        };
        let desk: Desk = Arc::new(Mutex::new(State {
            decision,
            counted: false,
            hash_fits: false,
        }));
        let mut server = self.open(identity, &header.reference, &desk)?;
        if let Some(earlier) = earlier {
            self.do_over(&mut server, &desk, earlier)?;
        }
        let answer = reply(&mut server, message)?;
        let (counted, fits) = {
            let state = desk.lock().unwrap_or_else(PoisonError::into_inner);
            (state.counted, state.hash_fits)
        };
        let encoded = answer.encode().map_err(refused)?;
        let kind = header::message(&encoded).map(|answer| answer.kind);
        let confirmed = (kind == Some(header::body::PKICONF)).then(|| {
            let verdicts = body::verdicts(message).unwrap_or_default();
            fits && !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.accepted)
        });
        let message = match kind {
            Some(header::body::GENP) if !answers.is_empty() => {
                let amended = header::with_answers(&encoded, &answers);
                protect_anew(&mut server, amended)?
            }
            Some(header::body::ERROR) if !counted => {
                let right = Self::is_protected(&mut server, identity, message);
                match flaw(&encoded, &header, identity, right) {
                    Some(flaw) => self.refuse(&header, message, flaw)?,
                    None => encoded,
                }
            }
            _ => encoded,
        };
        Ok(Answer {
            message,
            counted,
            confirmed,
        })
    }

    /// Whether a message's protection is that of its sender.
    fn is_protected(server: &mut Server, identity: &Identity, message: &[u8]) -> bool {
        let Ok(message) = Message::decode(message) else {
            return false;
        };
        let check = || server.with_context(|context| context.validates(&message));
        !matches!(identity, Identity::Nobody) && without_notes(check)
    }

    /// Whether a message is somebody's, so that what belongs to him counts.
    pub(crate) fn is_from(&self, identity: &Identity, message: &[u8]) -> Result<bool> {
        if matches!(identity, Identity::Nobody) {
            return Ok(false);
        }
        let header = read(message)?;
        let mut server = self.open(identity, &header.reference, &Desk::default())?;
        Ok(Self::is_protected(&mut server, identity, message))
    }

    /// Refuses a message. Who isn't known to have sent it learns nothing by the answer's protection: neither whether there
    /// is a secret for his reference, nor anything made with it that he could try secrets on.
    fn refuse(&self, header: &Header, message: &[u8], flaw: Flaw) -> Result<Vec<u8>> {
        let mut server = self.open(&Identity::Nobody, &header.reference, &Desk::default())?;
        let answer = reply(&mut server, message)?.encode().map_err(refused)?;
        let failures = status::bits(&[flaw.name.to_owned()]).unwrap_or(0);
        let amended = header::with_error(&answer, failures, flaw.text);
        protect_anew(&mut server, amended)
    }

    /// Brings a server where it was after an earlier message.
    fn do_over(&self, server: &mut Server, desk: &Desk, earlier: &Earlier) -> Result<()> {
        let past = match &earlier.certificate {
            Some(certificate) => Decision::Issue {
                certificate: Box::new(certificate.clone()),
                authorities: Vec::new(),
                changed: false,
            },
            None => Decision::Later(1),
        };
        let swap = |decision| {
            let mut state = desk.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut state.decision, decision)
        };
        let present = swap(past);
        reply(server, &earlier.request)?;
        // Of a certificate that was sent nothing else can be decided any more.
        if earlier.certificate.is_none() {
            swap(present);
        }
        // What was decided before says nothing about the message that is to be answered.
        desk.lock().unwrap_or_else(PoisonError::into_inner).counted = false;
        let done = server.with_context(|context| context.set_last_nonce(&earlier.nonce));
        done.map_err(refused)
    }

    /// Whether a request asks for nothing but what its signer has: his name, also among the alternative ones, or the
    /// update of his certificate.
    pub(crate) fn asks_for_own(identity: &Identity, demand: &Demand) -> bool {
        let Identity::Signer { certificate, .. } = identity else {
            return false;
        };
        let same = same_name(&demand.subject, certificate.subject_name());
        let old = demand.old.as_ref().is_none_or(|(issuer, serial)| {
            same_name(issuer, certificate.issuer_name()) && serial_of(certificate) == *serial
        });
        same && old && has_names(certificate, demand)
    }

    /// Whether a revocation is that of its signer's certificate.
    pub(crate) fn recalls_own(identity: &Identity, recall: &Recall) -> bool {
        let Identity::Signer { certificate, .. } = identity else {
            return false;
        };
        match (&recall.issuer, &recall.serial) {
            (Some(issuer), Some(serial)) => {
                same_name(issuer, certificate.issuer_name()) && serial_of(certificate) == *serial
            }
            _ => {
                let key = certificate.public_key();
                let key = key.and_then(|key| key.public_key_to_der());
                let subject = recall.subject.as_deref().unwrap_or_default();
                key.ok() == recall.key && same_name(subject, certificate.subject_name())
            }
        }
    }
}

/// Whether an encoded name is a certain one.
fn same_name(encoded: &[u8], name: &X509NameRef) -> bool {
    let read = X509Name::from_der(encoded);
    let same = read.and_then(|read| read.try_cmp(name));
    clear();
    matches!(same, Ok(Ordering::Equal))
}

/// The content bytes of a certificate's serial number.
fn serial_of(certificate: &X509) -> Vec<u8> {
    let encoded = certificate.to_der().unwrap_or_default();
    let frame = frame::certificate(&encoded);
    frame.map_or_else(Vec::new, |frame| frame.serial.to_vec())
}

/// The value of an encoded extension.
fn extension_value(whole: &[u8]) -> Option<Vec<u8>> {
    let list = wrap(tag::SEQUENCE, whole);
    let read = one(&list).and_then(frame::extensions)?;
    Some(read.first()?.value.to_vec())
}

/// Whether the alternative names that are asked for, if any, are those of a certificate.
fn has_names(certificate: &X509, demand: &Demand) -> bool {
    /// subjectAltName
    const NAMES: &str = "2.5.29.17";
    let Ok(encoded) = certificate.to_der() else {
        return false;
    };
    let frame = frame::certificate(&encoded).unwrap_or_default();
    let own = frame.extensions.iter().find(|one| one.oid == NAMES);
    let asked = demand.extensions.iter().filter(|(kind, _)| kind == NAMES);
    asked
        .map(|(_, whole)| extension_value(whole))
        .all(|value| value.is_some() && value.as_deref() == own.map(|own| own.value))
}

/// Whether a certificate isn't quite what was asked for: it has another subject, lacks an extension, or ends earlier.
pub(crate) fn differs(demand: &Demand, certificate: &X509) -> bool {
    /// An empty name.
    const NAMELESS: &[u8] = &[tag::SEQUENCE, 0];
    let Ok(encoded) = certificate.to_der() else {
        return true;
    };
    let frame = frame::certificate(&encoded).unwrap_or_default();
    let has = |(kind, whole): &(String, Vec<u8>)| {
        let value = extension_value(whole);
        let mut all = frame.extensions.iter();
        all.any(|one| one.oid == *kind && Some(one.value) == value.as_deref())
    };
    let end = frame.not_after.and_then(time::seconds);
    // A clock may be a little wrong, and a request takes its time.
    let shortened = demand
        .end
        .is_some_and(|wanted| end.is_none_or(|end| end + 60 < wanted));
    let renamed =
        demand.subject != NAMELESS && !same_name(&demand.subject, certificate.subject_name());
    renamed || shortened || !demand.extensions.iter().all(has)
}

/// Answers an encoded message.
fn reply(server: &mut Server, message: &[u8]) -> Result<Message> {
    let message = Message::decode(message).map_err(|_| unreadable())?;
    without_notes(|| server.answer(&message)).map_err(refused)
}

/// The versions of the protocol that there are; the last one isn't known to every library.
const VERSIONS: RangeInclusive<i64> = 2..=3;

/// What is wrong with a message, where OpenSSL says no more than that it is.
#[derive(Clone, Copy)]
struct Flaw {
    /// The name of the failure.
    name: &'static str,
    /// The text for the client.
    text: &'static str,
}

/// What is wrong with a message that OpenSSL has answered with an error, unless the error says it; `right` tells whether
/// its protection is.
fn flaw(answer: &[u8], header: &Header, identity: &Identity, right: bool) -> Option<Flaw> {
    let reason = header::error_reason(answer);
    let known = VERSIONS.contains(&header.version);
    if !known || reason == Some(i64::from(UNEXPECTED_VERSION)) {
        return Some(Flaw {
            name: "unsupportedVersion",
            text: "the version of the protocol isn't supported",
        });
    }
    match (header.protection, identity) {
        (Protection::None, _) => None,
        (Protection::Signature, Identity::Nobody) => Some(Flaw {
            name: "signerNotTrusted",
            text: "the signer isn't trusted",
        }),
        _ if !right => Some(Flaw {
            name: "badMessageCheck",
            text: "the protection isn't right",
        }),
        _ if reason == Some(i64::from(NONCE_UNMATCHED)) => Some(Flaw {
            name: "badRecipientNonce",
            text: "the nonce isn't that of the last answer",
        }),
        _ => None,
    }
}

/// What a clerk works by.
#[derive(Default)]
struct State {
    /// What was decided.
    decision: Decision,
    /// Whether he was asked.
    counted: bool,
    /// Whether the certificate that was confirmed is the one that was sent.
    hash_fits: bool,
}

/// A decision on the way to a clerk, and what he has done with it.
type Desk = Arc<Mutex<State>>;

/// Carries out a decision.
struct Clerk(Desk);

impl Clerk {
    /// The decision, which counts now.
    fn decision(&self) -> Decision {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.counted = true;
        state.decision.clone()
    }
}

impl Responder for Clerk {
    fn certificate(&mut self, _: &Request<'_>) -> std::result::Result<Issued, Refusal> {
        let nothing = |status| Issued {
            status,
            certificate: None,
            extra: Vec::new(),
            authorities: Vec::new(),
        };
        let plain = |status| Status {
            status,
            ..Status::default()
        };
        match self.decision() {
            Decision::Later(_) => Ok(nothing(plain(WAITING))),
            Decision::Tell(status) => Ok(nothing(status)),
            Decision::Issue {
                certificate,
                authorities,
                changed,
            } => Ok(Issued {
                status: plain(i32::from(changed)),
                certificate: Some(*certificate),
                extra: Vec::new(),
                authorities,
            }),
            Decision::Answers(_) => Err(Refusal(NOT_ACCEPTED)),
        }
    }

    fn poll(&mut self) -> std::result::Result<Poll, Refusal> {
        Ok(match self.decision() {
            Decision::Later(seconds) => Poll::Later(seconds),
            _ => Poll::Ready,
        })
    }

    fn confirm(&mut self, confirmation: &Confirmation<'_>) -> std::result::Result<(), Refusal> {
        // A message has one request, whose number is 0, or -1 for PKCS#10.
        if ![0, -1].contains(&confirmation.request) {
            return Err(Refusal(BAD_REQUEST_ID));
        }
        let Decision::Issue { certificate, .. } = self.decision() else {
            return Err(Refusal(BAD_REQUEST_ID));
        };
        if confirmation_hash(&certificate).as_deref() != Some(confirmation.hash) {
            return Err(Refusal(HASH_UNMATCHED));
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.hash_fits = true;
        Ok(())
    }

    fn revoke(
        &mut self,
        _: Option<&X509NameRef>,
        _: Option<&[u8]>,
    ) -> std::result::Result<Status, Refusal> {
        match self.decision() {
            Decision::Tell(status) => Ok(status),
            _ => Err(Refusal(NOT_ACCEPTED)),
        }
    }

    fn general(&mut self) -> std::result::Result<General, Refusal> {
        self.decision();
        Ok(General::Nothing)
    }
}
