//! What `tls::cms` reads: files and channels, and how far that has come.

use std::fs::OpenOptions;
use std::io::{self, Cursor, Read};

use super::KINDS;
use crate::cmd::bytewise::Bytewise;
use crate::cmd::later;
use crate::cmd::pki;
use crate::cmd::staged;
use crate::cms::source::{FileStream, Stream};
use crate::cms::unreadable;
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

/// Tells somebody how far reading has come.
struct Progress {
    /// What is read.
    inner: Box<dyn Stream>,
    /// Who is told.
    tell: Tell,
    /// How many bytes were read, whichever way they were gone over.
    done: u64,
    /// At how many he is told next.
    next: u64,
}

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        self.done += size as u64;
        let total = self.inner.size();
        if self.done >= self.next || size == 0 || total == Some(self.done) {
            self.next = self.done + STEP;
            (self.tell)(self.done, total)?;
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

/// A stream that tells somebody how far it has come.
pub(super) fn with_progress(inner: Box<dyn Stream>, tell: Option<Tell>) -> Box<dyn Stream> {
    match tell {
        Some(tell) => Box::new(Progress {
            inner,
            tell,
            done: 0,
            next: STEP,
        }),
        None => inner,
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

/// A stream that can be read twice: the stream itself, or a temporary copy of it.
pub(super) fn repeatable(mut stream: Box<dyn Stream>) -> Result<Box<dyn Stream>> {
    match stream.size() {
        Some(_) => Ok(stream),
        None => Ok(Box::new(
            FileStream::spool(&mut stream).map_err(unreadable)?,
        )),
    }
}
