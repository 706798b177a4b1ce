//! What a call has done, and how that comes out: results, files, channels, and the facts for `-info`.
//!
//! An [`Outcome`] grows in any thread, on its [`Ground`]; what the interpreter is needed for then is in its [`Closing`].

use tempfile::NamedTempFile;

use super::inputs::KINDS;
use super::{Job, surroundings};
use crate::ca::store::{Purpose, Store};
use crate::ca::watch::Watch;
use crate::cmd::sink::{self, Sink};
use crate::cmd::{later, staged};
use crate::error::{Error, Reason, Result};
use crate::tcl::channel::Mask;
use crate::tcl::{Interp, Obj};
use crate::value::Record;

/// What a call stands on: the interpreter's thread, or one of its own.
pub(super) trait Ground {
    /// Opens the database.
    fn open(&mut self, purpose: Purpose, watch: &mut dyn Watch) -> Result<Box<dyn Store>>;

    /// Where another output waits.
    fn output(&mut self) -> Result<sink::Store>;
}

/// What a call has done so far.
#[derive(Default)]
pub(super) struct Outcome {
    /// The result.
    pub(super) result: Vec<u8>,
    /// The outputs that are let out in the interpreter's thread.
    outputs: Vec<sink::Store>,
    /// What `-info` gets.
    pub(super) info: Record,
    /// The steps, for `-verbose`.
    steps: Vec<String>,
}

impl Outcome {
    /// Notes a step.
    pub(super) fn step(&mut self, what: impl Into<String>) {
        self.steps.push(what.into());
    }

    /// Adds to the result.
    fn add(&mut self, bytes: Vec<u8>) {
        // A list of a million entries isn't copied.
        match self.result.is_empty() {
            true => self.result = bytes,
            false => self.result.extend_from_slice(&bytes),
        }
    }

    /// Takes an output that is ready.
    pub(super) fn put(&mut self, output: sink::Store) {
        self.outputs.push(output);
    }

    /// Lets out what goes to files, as long as no other command gets at the database: of two lists that go to the same
    /// file, the later one stays.
    pub(super) fn let_out(&mut self) -> Result<()> {
        let outputs = std::mem::take(&mut self.outputs);
        let (native, others) = outputs.into_iter().partition(sink::Store::is_native);
        self.outputs = others;
        let native: Vec<sink::Store> = native;
        for output in native {
            Sink::Store(output).finish()?;
        }
        Ok(())
    }
}

/// Gets an output ready: all that could fail has happened then.
pub(super) fn ready(
    output: sink::Store,
    write: impl FnOnce(&mut Sink) -> Result<()>,
) -> Result<sink::Store> {
    let mut sink = Sink::Store(output);
    write(&mut sink)?;
    sink.settle()?;
    match sink {
        Sink::Store(output) => Ok(output),
        Sink::Early(_) | Sink::Late(..) => Err(Error::panic("tls::ca")),
    }
}

/// What follows in the interpreter's thread.
pub(super) struct Closing {
    /// The variable of `-info`.
    info: Option<String>,
    /// Whether steps are told.
    verbose: bool,
    /// The file for random bytes.
    random: Option<String>,
}

impl Closing {
    /// As the options say.
    pub(super) fn new(job: &Job<'_>) -> Self {
        Self {
            info: job.reporting.info.clone(),
            verbose: surroundings::is_verbose(&job.words.given),
            random: surroundings::random_file(&job.words, &job.config),
        }
    }

    /// The same in the event loop.
    pub(super) fn later(mut self) -> Self {
        self.info = self.info.as_deref().map(later::global);
        self
    }

    /// Stores facts in the variable of `-info`.
    pub(super) fn remember(&self, interp: Interp<'_>, info: &Record) -> Result<()> {
        match &self.info {
            Some(name) => interp.set_variable(&Obj::text(name), &Obj::from(info)),
            None => Ok(()),
        }
    }

    /// Lets everything out and stores the facts; gives the result, and what a channel is to get.
    pub(super) fn close(
        &self,
        interp: Interp<'_>,
        mut outcome: Outcome,
    ) -> Result<(Obj, Option<NamedTempFile>)> {
        let failed = |error: std::io::Error| Error::failed(Reason::CaWrite, error.to_string());
        let mut channel: Option<NamedTempFile> = None;
        for output in std::mem::take(&mut outcome.outputs) {
            match (output, &mut channel) {
                (sink::Store::Named(file), Some(before)) => {
                    staged::copy(file.into_file(), before).map_err(failed)?;
                }
                (sink::Store::Named(file), None) => channel = Some(file),
                (output, _) => outcome.add(Sink::Store(output).finish()?),
            }
        }
        if self.verbose {
            let steps = std::mem::take(&mut outcome.steps);
            outcome.info.put("steps", steps);
        }
        self.remember(interp, &outcome.info)?;
        if let Some(name) = &self.random {
            surroundings::write_random(interp, name)?;
        }
        Ok((Obj::bytes(&outcome.result), channel))
    }

    /// The same at once, where a channel gets its bytes right now.
    pub(super) fn close_with(
        &self,
        interp: Interp<'_>,
        channel: Option<&Obj>,
        outcome: Outcome,
    ) -> Result<Obj> {
        let (result, file) = self.close(interp, outcome)?;
        if let (Some(name), Some(file)) = (channel, file) {
            let mut to = KINDS.channel(interp, "-outchan", name, Mask::WRITABLE)?;
            let copied = to
                .settle()
                .and_then(|()| staged::copy(file.into_file(), &mut to));
            copied.map_err(|error| {
                let message = format!("can't write to the channel: {error}");
                Error::failed_with(Reason::CaWrite, ["-outchan", &name.as_text()], message)
            })?;
        }
        Ok(result)
    }
}
