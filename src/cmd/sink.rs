//! Where results of the PKI commands go: files, channels, the command's own result. Nothing of them is to be seen
//! until all is right.

use std::fs::File;
use std::io::{self, Write};

use tempfile::NamedTempFile;

use super::bytewise::Bytewise;
use super::pki::Kinds;
use super::staged::{self, Staged};
use crate::error::{Error, Result};
use crate::opts::groups::Output;
use crate::tcl::channel::Mask;
use crate::tcl::{Interp, Obj, files};

/// What an option calls its output, for errors.
#[derive(Clone)]
pub(super) struct Target {
    /// The reasons that the command gives.
    kinds: Kinds,
    /// The option.
    option: String,
    /// The name of the file or channel.
    name: String,
}

impl Target {
    /// The output of an option.
    pub(super) fn new(kinds: Kinds, option: &str, name: &str) -> Self {
        let (option, name) = (option.to_owned(), name.to_owned());
        Self {
            kinds,
            option,
            name,
        }
    }

    /// Removes the file, if it is there.
    pub(super) fn remove(&self, interp: Interp<'_>) -> Result<()> {
        self.check_access(interp)?;
        staged::remove(&self.name).map_err(|error| self.failed("delete", &error))
    }

    /// Refuses files in a safe interpreter.
    fn check_access(&self, interp: Interp<'_>) -> Result<()> {
        if interp.is_safe() {
            let name = &self.name;
            let message = format!("couldn't open \"{name}\": a safe interpreter has no files");
            return Err(self.refuse(message));
        }
        Ok(())
    }

    /// The error for something that goes wrong with it.
    fn refuse(&self, message: impl Into<String>) -> Error {
        Error::failed_with(self.kinds.write, [&self.option, &self.name], message)
    }

    /// The error for what the operating system refuses.
    fn failed(&self, doing: &str, error: &io::Error) -> Error {
        self.refuse(staged::failure(doing, &self.name, error).message())
    }
}

/// Where a result waits until all is right; in any thread.
pub(super) enum Store {
    /// In memory.
    Memory(Vec<u8>),
    /// In the file that is going to be the output.
    File(Staged, Target),
    /// In a temporary file that a channel is going to get.
    Named(NamedTempFile),
}

impl Store {
    /// Whether it can be let out in any thread: it goes to a file of the operating system.
    pub(super) const fn is_native(&self) -> bool {
        matches!(self, Self::File(Staged::Beside(..) | Staged::Apart(..), _))
    }
}

impl Write for Store {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Memory(memory) => memory.write(bytes),
            Self::File(file, _) => file.write(bytes),
            Self::Named(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects a result, and lets it out when all is right.
pub(super) enum Sink {
    /// Wherever it waits, nothing but a name is missing in the end.
    Store(Store),
    /// Into a channel, at once.
    Early(Bytewise),
    /// Into a channel, once all is right.
    Late(File, Bytewise, Target),
}

impl Sink {
    /// For the script.
    pub(super) fn memory() -> Self {
        Self::Store(Store::Memory(Vec::new()))
    }

    /// For what `-out` or `-outchan` names, or else for the script; `early` lets everything into a channel as it comes.
    pub(super) fn output(
        interp: Interp<'_>,
        kinds: Kinds,
        output: &Output<Obj>,
        early: bool,
    ) -> Result<Self> {
        match (output.out.as_deref(), &output.outchan) {
            (Some(_), Some(_)) => {
                Err(kinds.refuse("-out", "only one of -out and -outchan can be given"))
            }
            (None, Some(channel)) => Self::channel(interp, kinds, "-outchan", channel, early),
            (None | Some("-"), None) => Ok(Self::memory()),
            (Some(name), None) => Self::file(interp, Target::new(kinds, "-out", name)),
        }
    }

    /// For a file.
    pub(super) fn file(interp: Interp<'_>, target: Target) -> Result<Self> {
        Self::staged(interp, target, None)
    }

    /// For a file that its owner alone can read.
    pub(super) fn private_file(interp: Interp<'_>, target: Target) -> Result<Self> {
        // Virtual file systems know no permissions.
        files::native(&target.name).map_err(|error| target.refuse(error.message()))?;
        Self::staged(interp, target, Some(0o600))
    }

    /// For a file with these permissions.
    fn staged(interp: Interp<'_>, target: Target, mode: Option<u32>) -> Result<Self> {
        target.check_access(interp)?;
        match Staged::new(&target.name, mode) {
            Ok(file) => Ok(Self::Store(Store::File(file, target))),
            Err(error) => Err(target.failed("open", &error)),
        }
    }

    /// For a channel; `early` lets everything out as it comes.
    fn channel(
        interp: Interp<'_>,
        kinds: Kinds,
        option: &str,
        name: &Obj,
        early: bool,
    ) -> Result<Self> {
        let channel = kinds.channel(interp, option, name, Mask::WRITABLE)?;
        let target = Target::new(kinds, option, &name.as_text());
        let failed = |error: io::Error| target.failed("write", &error);
        channel.settle().map_err(failed)?;
        Ok(match early {
            true => Self::Early(channel),
            false => Self::Late(tempfile::tempfile().map_err(failed)?, channel, target),
        })
    }

    /// Where the result is written.
    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Store(store) => store,
            Self::Early(channel) => channel,
            Self::Late(file, ..) => file,
        }
    }

    /// Writes bytes of the result.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.writer().write_all(bytes);
        written.map_err(|error| self.failed(&error))
    }

    /// Waits until what was written is on the disk: only its name is missing then.
    pub(super) fn settle(&mut self) -> Result<()> {
        let settled = match self {
            Self::Store(Store::File(file, _)) => file.settle(),
            _ => Ok(()),
        };
        settled.map_err(|error| self.failed(&error))
    }

    /// The error for what can't be written.
    fn failed(&self, error: &io::Error) -> Error {
        match self {
            Self::Store(Store::File(_, target)) | Self::Late(_, _, target) => {
                target.failed("write", error)
            }
            _ => staged::failure("write", "the result", error),
        }
    }

    /// Lets the result out; what is for the script comes back.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Store(Store::Memory(bytes)) => return Ok(bytes),
            Self::Store(Store::File(file, target)) => {
                file.finish()
                    .map_err(|error| target.failed("write", &error))?;
            }
            Self::Store(Store::Named(_)) | Self::Early(_) => {}
            Self::Late(file, mut channel, target) => {
                staged::copy(file, &mut channel).map_err(|error| target.failed("write", &error))?;
            }
        }
        Ok(Vec::new())
    }
}

/// Outputs that are let out together: all of them or none.
#[derive(Default)]
pub(super) struct Sinks(Vec<Sink>);

impl Sinks {
    /// Gets a file ready that has this content.
    pub(super) fn add(&mut self, interp: Interp<'_>, target: Target, content: &[u8]) -> Result<()> {
        let mut sink = Sink::file(interp, target)?;
        sink.put(content)?;
        self.0.push(sink);
        Ok(())
    }

    /// Takes another output along.
    pub(super) fn push(&mut self, sink: Sink) {
        self.0.push(sink);
    }

    /// Lets all out; what is for the script comes back.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        let mut result = Vec::new();
        for sink in self.0 {
            result.extend(sink.finish()?);
        }
        Ok(result)
    }
}
