//! What carries a client's messages, and the tape of prepared and recorded ones beside it.

use std::collections::VecDeque;

use super::header;
use super::names::Information;
use crate::error::{Error, Reason, Result};
use crate::ossl::cmp_exchange::Exchange;

/// Carries messages to a server.
pub(crate) trait Wire: Send {
    /// Sends an encoded request and gives the encoded answer.
    fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>>;
    /// Lets some seconds pass before the server is asked again.
    fn wait(&mut self, seconds: u64) -> Result<()>;
    /// A transaction begins.
    fn begin(&mut self) {}
}

/// There is no server: prepared answers must do.
pub(crate) struct NoWire;

impl Wire for NoWire {
    fn exchange(&mut self, _: &[u8]) -> Result<Vec<u8>> {
        Err(Error::failed(
            Reason::CmpTransfer,
            "the files of -rspin hold fewer answers than the transaction needs, and there is no server",
        ))
    }

    fn wait(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// Prepared and recorded messages.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// Requests to send in place of those that are made.
    pub(crate) requests: VecDeque<Vec<u8>>,
    /// Whether those get a fresh transaction id.
    pub(crate) new_transaction: bool,
    /// Answers to take in place of those of a server.
    pub(crate) answers: VecDeque<Vec<u8>>,
    /// Whether requests are recorded, and how many.
    pub(crate) record_requests: usize,
    /// Whether answers are recorded, and how many.
    pub(crate) record_answers: usize,
    /// What is put into the header of requests.
    pub(crate) information: Vec<Information>,
    /// What general messages ask, with values.
    pub(crate) questions: Vec<Information>,
    /// Whether nothing is sent: the first request is all that is wanted.
    pub(crate) stops: bool,
    /// The requests that were made.
    pub(crate) made: Vec<Vec<u8>>,
    /// The answers that were taken.
    pub(crate) taken: Vec<Vec<u8>>,
}

/// A wire with its tape, and what it knows about the transaction.
pub(crate) struct Deck {
    /// The tape.
    pub(crate) tape: Tape,
    /// The wire.
    pub(crate) wire: Box<dyn Wire>,
    /// Why the last message didn't get through.
    pub(crate) failure: Option<Error>,
    /// The last request.
    pub(crate) request: Vec<u8>,
    /// The last answer.
    pub(crate) answer: Vec<u8>,
}

impl Deck {
    /// A deck in front of a wire.
    pub(crate) fn new(tape: Tape, wire: Box<dyn Wire>) -> Self {
        Self {
            tape,
            wire,
            failure: None,
            request: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// Carries a request. A failure is kept for who runs the transaction.
    pub(crate) fn carry(&mut self, exchange: &mut Exchange, request: &[u8]) -> Option<Vec<u8>> {
        self.failure = None;
        match self.try_carry(exchange, request) {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }

    /// Puts into a request what the library has no way to say, or other ways from version to version.
    fn complete(&self, exchange: &mut Exchange, request: &[u8]) -> Result<Vec<u8>> {
        let mut whole = request.to_vec();
        let unfit = || {
            let message = "the general information can't be encoded";
            Error::failed_with(Reason::CmpOption, ["-geninfo"], message)
        };
        if !self.tape.information.is_empty() {
            whole = header::with_information(&whole, &self.tape.information).ok_or_else(unfit)?;
        }
        let asks = header::message(&whole).is_some_and(|one| one.kind == header::body::GENM);
        if asks
            && self
                .tape
                .questions
                .iter()
                .any(|question| question.value.is_some())
        {
            whole = header::with_answers(&whole, &self.tape.questions).ok_or_else(unfit)?;
        }
        match whole == request {
            true => Ok(whole),
            false => exchange.protect(&whole).map_err(|entries| {
                let why = crate::error::reasons_text(&entries);
                let message = format!("a request can't be protected: {why}");
                Error::failed(Reason::CmpCreate, message)
            }),
        }
    }

    /// Carries a request.
    fn try_carry(&mut self, exchange: &mut Exchange, request: &[u8]) -> Result<Vec<u8>> {
        let unfit = |what: &str, entries: &[crate::error::OpenSslEntry]| {
            let why = crate::error::reasons_text(entries);
            Error::failed(
                Reason::CmpRead,
                format!("a message of {what} is unfit: {why}"),
            )
        };
        self.request = self.complete(exchange, request)?;
        if self.tape.made.len() < self.tape.record_requests {
            self.tape.made.push(self.request.clone());
        }
        if self.tape.stops {
            return Err(Error::failed(Reason::CmpTransfer, "nothing is sent"));
        }
        self.answer.clear();
        let mut prepared = false;
        let answer = match self.tape.answers.pop_front() {
            Some(answer) => {
                prepared = true;
                answer
            }
            None => {
                if let Some(other) = self.tape.requests.pop_front() {
                    prepared = true;
                    let fresh = exchange.refresh(&other, self.tape.new_transaction);
                    self.request = fresh.map_err(|entries| unfit("-reqin", &entries))?;
                }
                self.wire.exchange(&self.request)?
            }
        };
        if prepared {
            let expected = exchange.expect(&answer);
            expected.map_err(|entries| unfit("-rspin, or an answer,", &entries))?;
        }
        if self.tape.taken.len() < self.tape.record_answers {
            self.tape.taken.push(answer.clone());
        }
        self.answer.clone_from(&answer);
        Ok(answer)
    }
}
