//! What came of a transaction, and which error a failed one is.

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::header;
use super::names::{self, Information};
use super::status;
use super::wire::Deck;
use crate::error::{Error, OpenSslEntry, Reason, reasons_text};
use crate::ossl::cmp::{Context, is_signed_by};
use crate::ossl::cmp_notes::{Doubt, doubt, take_notes};
use crate::value::{Record, Value};
use crate::x509::der::hex;

/// The facts of a transaction.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The last PKIStatus; negative where there is none.
    pub(crate) status: i32,
    /// The bits of the failure information.
    pub(crate) failure: u32,
    /// The texts of the status.
    pub(crate) texts: Vec<String>,
    /// The new certificate.
    pub(crate) certificate: Option<X509>,
    /// The private key of it.
    pub(crate) key: Option<PKey<Private>>,
    /// Its chain.
    pub(crate) chain: Vec<X509>,
    /// The certificates of authorities that the server sent.
    pub(crate) authorities: Vec<X509>,
    /// The other certificates that the server sent.
    pub(crate) extra: Vec<X509>,
    /// The last answer.
    pub(crate) answer: Vec<u8>,
    /// The transaction id.
    pub(crate) transaction: Vec<u8>,
    /// The answers to a general message.
    pub(crate) answers: Vec<Information>,
    /// What OpenSSL said, with its seriousness.
    pub(crate) notes: Vec<(i32, String)>,
    /// The requests that were made.
    pub(crate) requests: Vec<Vec<u8>>,
    /// The answers that were taken.
    pub(crate) taken: Vec<Vec<u8>>,
    /// Whether the last request was answered.
    pub(crate) answered: bool,
    /// Why it failed.
    pub(crate) error: Option<Error>,
}

impl Outcome {
    /// What a context knows.
    pub(crate) fn of(context: &Context) -> Self {
        Self {
            status: context.status(),
            failure: context.failure(),
            texts: context.status_texts(),
            certificate: context.new_certificate(),
            key: context.new_key(),
            chain: context.new_chain(),
            authorities: context.ca_certificates(),
            extra: context.extra_certificates(),
            notes: take_notes(),
            ..Self::default()
        }
    }

    /// Adds what a wire's deck knows.
    pub(crate) fn take(&mut self, deck: &mut Deck) {
        let message = header::message(&deck.request);
        self.transaction = message.map_or_else(Vec::new, |message| message.transaction);
        self.answered = !deck.answer.is_empty();
        self.answers = header::answers(&deck.answer);
        self.answer = std::mem::take(&mut deck.answer);
        self.requests = std::mem::take(&mut deck.tape.made);
        self.taken = std::mem::take(&mut deck.tape.taken);
    }

    /// The certificate that vouches for the last answer: one of some, or one that came along.
    pub(crate) fn signer<'a>(&'a self, known: &'a [X509]) -> Option<&'a X509> {
        let mut all = self.extra.iter().chain(known);
        all.find(|certificate| is_signed_by(&self.answer, certificate))
    }

    /// The facts as a script sees them.
    pub(crate) fn record(&self) -> Record {
        let mut record = Record::new();
        record.put("status", status::state(self.status));
        record.put("failInfo", status::failures(self.failure));
        record.put("statusString", self.texts.clone());
        record.put(
            "certificate",
            self.certificate.as_ref().map_or_else(String::new, pem),
        );
        record.put("chain", pems(&self.chain));
        record.put("caPubs", pems(&self.authorities));
        record.put("extraCerts", pems(&self.extra));
        record.put("transactionID", hex(&self.transaction));
        let answers = self.answers.iter().map(|answer| {
            let mut piece = Record::new();
            piece.put("type", names::info_name(&answer.kind));
            piece.put("value", answer.value.clone().unwrap_or_default());
            Value::Record(piece)
        });
        record.put("itavs", Value::List(answers.collect()));
        let notes = self.notes.iter().map(|(_, text)| text.clone());
        record.put("log", notes.collect::<Vec<String>>());
        record
    }
}

/// The PEM text of a certificate.
pub(crate) fn pem(certificate: &X509) -> String {
    let bytes = certificate.to_pem().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// The PEM texts of certificates.
fn pems(certificates: &[X509]) -> Vec<String> {
    certificates.iter().map(pem).collect()
}

/// The level of warnings in the log; errors are below.
const WARNING: i32 = 4;

/// The error of a failed transaction.
pub(crate) fn failure(entries: &[OpenSslEntry], wire: Option<Error>, outcome: &Outcome) -> Error {
    if let Some(error) = wire {
        return error;
    }
    let why = reasons_text(entries);
    let doubts: Vec<Doubt> = entries.iter().filter_map(doubt).collect();
    let has = |wanted| doubts.contains(&wanted);
    if has(Doubt::Protection) {
        let message = format!("the server's answer can't be trusted: {why}");
        return Error::failed(Reason::CmpProtection, message);
    }
    if has(Doubt::Certificate) {
        let message = format!("the new certificate isn't accepted: {why}");
        return Error::failed(Reason::CmpVerify, message);
    }
    if has(Doubt::Refused) {
        let state = status::state(outcome.status);
        let failures = status::failures(outcome.failure);
        let mut message = format!(
            "the server answers with {}",
            match state {
                "" => "an error",
                state => state,
            }
        );
        if !failures.is_empty() {
            message.push_str(&format!(" ({})", failures.join(", ")));
        }
        if !outcome.texts.is_empty() {
            message.push_str(&format!(": {}", outcome.texts.join("; ")));
        }
        return Error::failed_with(Reason::CmpStatus, [state, &failures.join(" ")], message);
    }
    if has(Doubt::Late) {
        let message = "the transaction takes longer than -total_timeout allows";
        return Error::failed_with(Reason::CmpTransfer, ["timeout"], message);
    }
    if has(Doubt::Nonsense) {
        let message = format!("the server's answer makes no sense: {why}");
        return Error::failed(Reason::CmpRead, message);
    }
    // An answer that can't be read at all makes the transfer fail.
    if has(Doubt::Transfer) {
        let message = format!("the server's answer isn't a CMP message: {why}");
        return Error::failed(Reason::CmpRead, message);
    }
    if outcome.answered {
        // Some checks of an answer say what is wrong in the log alone.
        let notes = outcome.notes.iter().filter(|(level, _)| *level <= WARNING);
        let notes: Vec<&str> = notes.map(|(_, text)| text.as_str()).collect();
        let message = format!("the server's answer can't be trusted: {}", notes.join("; "));
        return Error::failed(Reason::CmpProtection, message);
    }
    Error::failed(
        Reason::CmpCreate,
        format!("the request can't be made: {why}"),
    )
}
