//! The test server: it knows one certificate, which it hands out to everybody, and misbehaves as it is told.
//!
//! Other than the program's, it keeps the state of each transaction apart, so that any number may be under way.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameRef};

use super::client::equip;
use super::general::protect_anew;
use super::names::Information;
use super::settings::Credentials;
use super::{body, header};
use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl::cmp_message::Message;
use crate::ossl::cmp_notes::without_notes;
use crate::ossl::cmp_server::{
    BAD_REQUEST_ID, Confirmation, General, HASH_UNMATCHED, Issued, NOT_ACCEPTED, PROCESSING, Poll,
    Refusal, Request, Responder, Server, Status, confirmation_hash,
};
use crate::ossl::error::clear;

/// How many transactions are remembered.
const MOST: usize = 1000;

/// How long a transaction that doesn't go on is remembered.
const LONGEST: Duration = Duration::from_secs(600);

/// The status that makes the client ask again.
const WAITING: i32 = 3;

/// What a test server does.
#[derive(Default)]
pub(crate) struct MockSettings {
    /// How it protects messages.
    pub(crate) credentials: Credentials,
    /// The certificate that it hands out.
    pub(crate) certificate: Option<X509>,
    /// The certificate that may be updated and revoked, if it is another one.
    pub(crate) reference: Option<X509>,
    /// Certificates to send along.
    pub(crate) extra: Vec<X509>,
    /// Certificates of authorities.
    pub(crate) authorities: Vec<X509>,
    /// How often a client has to ask.
    pub(crate) polls: u64,
    /// After how many seconds it may ask again.
    pub(crate) check_after: i64,
    /// The status that it sends.
    pub(crate) status: Status,
    /// Whether it grants implicit confirmation.
    pub(crate) grant_implicit: bool,
    /// Whether it answers everything with an error.
    pub(crate) send_error: bool,
    /// Whether negative answers go without protection.
    pub(crate) send_unprotected_errors: bool,
    /// Whether requests needn't be protected.
    pub(crate) accept_unprotected: bool,
    /// Whether it takes the word of a registration authority for the possession of keys.
    pub(crate) accept_ra_verified: bool,
    /// The key that it hands out where a client wants one made.
    pub(crate) key: Option<PKey<Private>>,
    /// What it answers to a question, by its type; other questions it sends back.
    pub(crate) answers: Vec<(String, Information)>,
}

/// The server.
pub(crate) struct MockServer {
    /// What it does.
    settings: Arc<MockSettings>,
    /// Its transactions by id, and when they went on last.
    transactions: HashMap<Vec<u8>, (Instant, Server)>,
}

/// The error for something that OpenSSL doesn't take.
fn refused(entries: Vec<OpenSslEntry>) -> Error {
    let message = format!("the test server fails: {}", reasons_text(&entries));
    Error::failed(Reason::CmpCreate, message)
}

impl MockServer {
    /// A server; settings that can't be used are refused at once.
    pub(crate) fn new(settings: MockSettings) -> Result<Self> {
        let server = Self {
            settings: Arc::new(settings),
            transactions: HashMap::new(),
        };
        server.begin()?;
        Ok(server)
    }

    /// What answers one transaction.
    fn begin(&self) -> Result<Server> {
        let settings = &self.settings;
        let part = Part {
            settings: Arc::clone(settings),
            issued: false,
            polls: 0,
            ready: settings.polls == 0,
        };
        let mut server = Server::new(Box::new(part), settings.credentials.properties.as_deref())
            .map_err(refused)?;
        server.with_context(|context| equip(context, &settings.credentials))?;
        if settings.send_unprotected_errors {
            server.send_unprotected_errors();
        }
        if settings.accept_unprotected {
            server.accept_unprotected();
        }
        if settings.accept_ra_verified {
            server.accept_ra_verified();
        }
        if settings.grant_implicit {
            server.grant_implicit_confirmation();
        }
        Ok(server)
    }

    /// Answers an encoded message.
    pub(crate) fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        clear();
        let message = Message::decode(request).map_err(|entries| {
            let message = format!("the message can't be read: {}", reasons_text(&entries));
            Error::failed(Reason::CmpRead, message)
        })?;
        let id = message.transaction();
        let mut server = match self.transactions.remove(&id) {
            Some((_, server)) => server,
            None => self.begin()?,
        };
        if let Some(key) = &self.settings.key
            && body::wants_key(request)
        {
            let done = server.with_context(|context| context.set_new_key(key, true));
            done.map_err(refused)?;
        }
        // A message that isn't in order is answered by an error message: without an answer the server itself fails.
        let answer = without_notes(|| server.answer(&message)).map_err(refused)?;
        let answer = self.tell(&mut server, request, answer.encode().map_err(refused)?)?;
        if !id.is_empty() && goes_on(&answer) {
            self.make_room();
            self.transactions.insert(id, (Instant::now(), server));
        }
        Ok(answer)
    }

    /// Puts the answer to a question, if there is one, in place of the question that was sent back.
    fn tell(&self, server: &mut Server, request: &[u8], answer: Vec<u8>) -> Result<Vec<u8>> {
        let questions = body::questions(request);
        let [question] = questions.as_slice() else {
            return Ok(answer);
        };
        let known = self.settings.answers.iter();
        let found = known.filter(|(kind, _)| *kind == question.kind);
        let found: Vec<Information> = found.map(|(_, information)| information.clone()).collect();
        match header::with_answers(&answer, &found) {
            Some(changed) if !found.is_empty() => protect_anew(server, Some(changed)),
            _ => Ok(answer),
        }
    }

    /// Forgets transactions that won't go on.
    fn make_room(&mut self) {
        if self.transactions.len() < MOST {
            return;
        }
        self.transactions
            .retain(|_, (last, _)| last.elapsed() < LONGEST);
        let oldest = self.transactions.iter().min_by_key(|(_, (last, _))| *last);
        if self.transactions.len() >= MOST
            && let Some((id, _)) = oldest
        {
            let id = id.clone();
            self.transactions.remove(&id);
        }
    }
}

/// Whether more is to come after an answer.
fn goes_on(answer: &[u8]) -> bool {
    use header::body::{ERROR, GENP, PKICONF, RP};
    const LAST: [u8; 4] = [RP, PKICONF, GENP, ERROR];
    header::message(answer).is_some_and(|message| !LAST.contains(&message.kind))
}

/// The part of the server in one transaction.
struct Part {
    /// What it does.
    settings: Arc<MockSettings>,
    /// Whether a certificate was handed out.
    issued: bool,
    /// How often the client has asked again.
    polls: u64,
    /// Whether the client has waited enough.
    ready: bool,
}

impl Part {
    /// Fails if it is told to.
    fn check(&self) -> std::result::Result<(), Refusal> {
        match self.settings.send_error {
            true => Err(Refusal(PROCESSING)),
            false => Ok(()),
        }
    }
}

impl Part {
    /// The one certificate that is known.
    fn known(&self) -> Option<&X509> {
        let settings = &self.settings;
        settings
            .reference
            .as_ref()
            .or(settings.certificate.as_ref())
    }

    /// Whether the one certificate has this issuer and this serial number.
    fn knows(&self, issuer: &X509NameRef, serial: &[u8]) -> bool {
        let Some(certificate) = self.known() else {
            return false;
        };
        let own = certificate.serial_number().to_bn();
        let own = own.map(|number| number.to_vec());
        let names = issuer.try_cmp(certificate.issuer_name());
        own.ok().as_deref() == Some(serial) && matches!(names, Ok(Ordering::Equal))
    }
}

impl Responder for Part {
    fn certificate(&mut self, request: &Request<'_>) -> std::result::Result<Issued, Refusal> {
        self.check()?;
        // Like the program's, it knows no other certificate that could be updated.
        if let Some((issuer, serial)) = &request.old
            && !self.knows(issuer, serial)
        {
            return Err(Refusal(NOT_ACCEPTED));
        }
        if !self.ready {
            return Ok(Issued {
                status: Status {
                    status: WAITING,
                    ..Status::default()
                },
                certificate: None,
                extra: Vec::new(),
                authorities: Vec::new(),
            });
        }
        self.issued = true;
        Ok(Issued {
            status: self.settings.status.clone(),
            certificate: self.settings.certificate.clone(),
            extra: self.settings.extra.clone(),
            authorities: self.settings.authorities.clone(),
        })
    }

    fn poll(&mut self) -> std::result::Result<Poll, Refusal> {
        self.check()?;
        self.polls += 1;
        self.ready = self.polls >= self.settings.polls;
        Ok(match self.ready {
            true => Poll::Ready,
            false => Poll::Later(self.settings.check_after),
        })
    }

    fn confirm(&mut self, confirmation: &Confirmation<'_>) -> std::result::Result<(), Refusal> {
        self.check()?;
        let certificate = self.settings.certificate.as_ref();
        // It answers one request, whose number is 0, or -1 for PKCS#10.
        let known = self.issued && [0, -1].contains(&confirmation.request);
        let Some(certificate) = certificate.filter(|_| known) else {
            return Err(Refusal(BAD_REQUEST_ID));
        };
        match confirmation_hash(certificate) {
            Some(hash) if hash == confirmation.hash => Ok(()),
            _ => Err(Refusal(HASH_UNMATCHED)),
        }
    }

    fn revoke(
        &mut self,
        issuer: Option<&X509NameRef>,
        serial: Option<&[u8]>,
    ) -> std::result::Result<Status, Refusal> {
        self.check()?;
        // A request by PKCS#10 names neither.
        let known = match (issuer, serial) {
            (Some(issuer), Some(serial)) => self.knows(issuer, serial),
            _ => self.known().is_some(),
        };
        if !known {
            return Err(Refusal(NOT_ACCEPTED));
        }
        Ok(self.settings.status.clone())
    }

    fn general(&mut self) -> std::result::Result<General, Refusal> {
        self.check().map(|()| General::Echo)
    }
}
