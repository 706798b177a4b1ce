//! What a call is going to do with its streams, and what it does with what was found.
//!
//! A plan holds everything that was read from files and asked from scripts, so that it can be carried out in any
//! thread.

use std::io::Write;

use openssl::x509::X509;

use super::streams::{Progress, Tell};
use super::{Job, KINDS, addresses};
use crate::cmd::later;
use crate::cmd::library::Library;
use crate::cmd::sink::{Sink, Sinks, Target};
use crate::cms::ber::Skeleton;
use crate::cms::book::Entry;
use crate::cms::source::{FileStream, Stream};
use crate::cms::{refused, unreadable};
use crate::error::{Error, Reason, Result};
use crate::tcl::{Interp, Obj};
use crate::value::Record;

/// The streams of an operation.
pub(super) struct Ways<'w> {
    /// The input.
    pub(super) stream: &'w mut dyn Stream,
    /// The content, or the receipt, beside the input.
    pub(super) beside: Option<&'w mut dyn Stream>,
    /// The output.
    pub(super) out: &'w mut dyn Write,
}

/// What an operation finds.
#[derive(Default)]
pub(super) struct Finding {
    /// What `-info` tells.
    pub(super) facts: Record,
    /// What is wrong with the message.
    pub(super) failure: Option<Error>,
    /// The message's certificates.
    pub(super) certificates: Vec<X509>,
    /// The signers' certificates.
    pub(super) signers: Vec<X509>,
    /// What was learned about mail addresses.
    pub(super) learned: Vec<Entry>,
    /// What the program prints behind the content.
    pub(super) text: String,
}

impl Finding {
    /// The facts about a message alone.
    pub(super) fn message(skeleton: &Skeleton) -> Self {
        Self {
            facts: super::facts::message(skeleton),
            ..Self::default()
        }
    }
}

/// What is done with the streams.
type Work = Box<dyn FnOnce(Ways<'_>) -> Result<Finding> + Send>;

/// How the input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Not at all.
    Never,
    /// From its start to its end.
    Once,
    /// More than once.
    Again,
}

impl Reading {
    /// More than once if that is so.
    pub(super) const fn again_if(again: bool) -> Self {
        match again {
            true => Self::Again,
            false => Self::Once,
        }
    }
}

/// What a call is going to do.
pub(super) struct Plan {
    /// How the input is read.
    pub(super) reading: Reading,
    /// Whether the output may come out only when all is right.
    pub(super) checked: bool,
    /// A file beside the input: the option that names it, and its name.
    pub(super) beside: Option<(&'static str, String)>,
    /// What is done.
    pub(super) work: Work,
}

impl Plan {
    /// Reads, works, and writes what comes out of it.
    pub(super) fn carry_out(
        self,
        stream: Box<dyn Stream>,
        mut beside: Option<Box<dyn Stream>>,
        tell: Option<Tell>,
        out: &mut dyn Write,
    ) -> Result<Finding> {
        let mut progress = Progress::new(stream, tell);
        let mut copy = None;
        let stream: &mut dyn Stream = match self.reading {
            // A stream that can't start again is copied.
            Reading::Again if progress.size().is_none() => {
                copy.insert(FileStream::spool(&mut progress).map_err(unreadable)?)
            }
            Reading::Again | Reading::Once | Reading::Never => &mut progress,
        };
        let finding = (self.work)(Ways {
            stream,
            beside: beside
                .as_mut()
                .map(|beside| &mut **beside as &mut dyn Stream),
            out,
        })?;
        progress.finish().map_err(unreadable)?;
        Ok(finding)
    }
}

/// What is done with a finding.
#[derive(Clone)]
pub(super) struct Closing {
    /// The variable for the facts.
    info: Option<String>,
    /// The file for the message's certificates.
    certsout: Option<String>,
    /// The file for the signers' certificates.
    signers: Option<String>,
    /// The file for random bytes.
    random: Option<String>,
    /// The file for what is learned about mail addresses.
    addresses: Option<String>,
}

impl Closing {
    /// As the options say.
    pub(super) fn new(job: &Job<'_>) -> Self {
        let is_verify = job.operation == super::words::Operation::Verify;
        let signers = job.words.given.texts("-signer").pop().filter(|_| is_verify);
        Self {
            info: job.streams.info.clone(),
            certsout: job.keys.certsout.clone(),
            signers,
            random: job.words.given.texts("-writerand").pop(),
            addresses: job.checking.smimestore.clone().filter(|_| is_verify),
        }
    }

    /// The same in the event loop.
    pub(super) fn later(mut self) -> Self {
        self.info = self.info.as_deref().map(later::global);
        self
    }

    /// Tells what was found, and lets everything that is written out, or nothing if something is wrong.
    pub(super) fn close(self, interp: Interp<'_>, finding: Finding, sink: Sink) -> Result<Obj> {
        if let Some(name) = &self.info {
            interp.set_variable(&Obj::text(name), &Obj::from(&finding.facts))?;
        }
        if let Some(failure) = finding.failure {
            return Err(failure);
        }
        let certificates = [
            ("-certsout", &self.certsout, &finding.certificates),
            ("-signer", &self.signers, &finding.signers),
        ];
        let mut sinks = Sinks::default();
        for (option, name, certificates) in certificates {
            if let Some(name) = name {
                let target = Target::new(KINDS, option, name);
                let written = pems(certificates).and_then(|pems| sinks.add(interp, target, &pems));
                written.map_err(|error| {
                    Error::failed_with(Reason::CmsSigners, [option, name], error.message())
                })?;
            }
        }
        if let Some(name) = &self.random {
            let target = Target::new(KINDS, "-writerand", name);
            sinks.add(interp, target, &Library::random(KINDS)?)?;
        }
        let mut lock = None;
        if let Some(name) = &self.addresses {
            let (sink, held) = addresses::learn(interp, name, finding.learned)?;
            sinks.push(sink);
            lock = held;
        }
        sinks.finish()?;
        drop(lock);
        let mut result = sink.finish()?;
        result.extend_from_slice(finding.text.as_bytes());
        Ok(Obj::bytes(&result))
    }
}

/// Certificates as text.
fn pems(certificates: &[X509]) -> Result<Vec<u8>> {
    let pems: std::result::Result<Vec<_>, _> =
        certificates.iter().map(|one| one.to_pem()).collect();
    let pems =
        pems.map_err(|stack| refused(Reason::CmsSigners, "can't encode a certificate", &stack))?;
    Ok(pems.concat())
}
