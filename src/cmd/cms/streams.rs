//! What `tls::cms` reads: files and channels, and how far that has come.

use std::fs::OpenOptions;
use std::io::{self, Cursor, Read};

use super::KINDS;
use crate::cmd::bytewise::Bytewise;
use crate::cmd::later;
use crate::cmd::pki;
use crate::cmd::staged;
use crate::cms::source::{FileStream, Stream};
use crate::error::{Error, Reason, Result};
use crate::tcl::channel::Mask;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};

/// How many bytes pass between two calls of a progress script.
const STEP: u64 = 1 << 20;

/// Reads a channel.
struct ChannelStream(Bytewise);

impl Read for ChannelStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Stream for ChannelStream {
    fn size(&self) -> Option<u64> {
        None
    }

    fn seek_to(&mut self, _: u64) -> io::Result<()> {
        Err(io::Error::other("a channel can't start again"))
    }
}

/// Is told how many bytes were read, and how many there are.
pub(super) type Tell = Box<dyn FnMut(u64, Option<u64>) -> io::Result<()>>;

/// Reads a stream, and tells somebody how far that has come.
pub(super) struct Progress {
    /// What is read.
    inner: Box<dyn Stream>,
    /// Who is told.
    tell: Option<Tell>,
    /// How many bytes were read, whichever way they were gone over.
    done: u64,
    /// How many he was told of last.
    told: u64,
    /// At how many he is told next.
    next: u64,
}

impl Progress {
    /// A reader of a stream from its start.
    pub(super) fn new(inner: Box<dyn Stream>, tell: Option<Tell>) -> Self {
        Self {
            inner,
            tell,
            done: 0,
            told: 0,
            next: STEP,
        }
    }

    /// Tells of what was read last, when no more is wanted: whose length is in the message isn't read up to its end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match self.told < self.done {
            true => self.tell(),
            false => Ok(()),
        }
    }

    /// Tells how much was read.
    fn tell(&mut self) -> io::Result<()> {
        self.told = self.done;
        self.next = self.done + STEP;
        let total = self.inner.size();
        match &mut self.tell {
            Some(tell) => tell(self.done, total),
            None => Ok(()),
        }
    }
}

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        self.done += size as u64;
        if self.done >= self.next || size == 0 || self.inner.size() == Some(self.done) {
            self.tell()?;
        }
        Ok(size)
    }
}

impl Stream for Progress {
    fn size(&self) -> Option<u64> {
        self.inner.size()
    }

    fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        self.done = offset;
        self.inner.seek_to(offset)
    }
}

/// Tells a script; its error ends the operation.
pub(super) fn script_tells(script: Script) -> Tell {
    Box::new(
        move |done, total| match script.call(&later::progress_words(done, total)) {
            Some(outcome) => outcome.map(|_| ()).map_err(io::Error::other),
            None => Ok(()),
        },
    )
}

/// Opens a file for reading.
pub(super) fn open(
    inputs: &pki::Inputs<'_>,
    option: &str,
    name: &str,
) -> Result<Box<dyn Stream + Send>> {
    inputs.check_access(option, name)?;
    let Ok(path) = files::native(name) else {
        return Ok(Box::new(Cursor::new(inputs.content(option, name)?)));
    };
    let opened = OpenOptions::new().read(true).open(path);
    match opened.and_then(FileStream::new) {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Error::failed_with(
            Reason::CmsRead,
            [option, name],
            staged::failure("open", name, &error).message(),
        )),
    }
}

/// Opens a channel for reading.
pub(super) fn open_channel(
    interp: Interp<'_>,
    option: &str,
    name: &Obj,
) -> Result<Box<dyn Stream>> {
    let channel = KINDS.channel(interp, option, name, Mask::READABLE)?;
    Ok(Box::new(ChannelStream(channel)))
}
