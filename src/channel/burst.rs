//! Small pieces of one burst, joined to full records.
//!
//! `fcopy` writes what it reads, in buffers of the source: a file's have 4 KiB, which would make records of a quarter of
//! their size. While a command copies to the channel, pieces are held back until a record is full, and the rest goes out
//! when the command has ended, before the next one begins, so that no script sees the difference. Only a copy in the
//! foreground is such a command: it has the channel blocking, where one in the background has it non-blocking.

use std::cell::{OnceCell, RefCell};

use crate::error::{Error, Result};
use crate::tcl::channel::Channel;
use crate::tcl::epilogue::Epilogue;
use crate::tcl::files;

use super::TlsChannel;
use super::buffers::RECORD;
use super::engine::Progress;

/// What is held back.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// The pieces, less than a record.
    bytes: RefCell<Vec<u8>>,
    /// Sends them when the command has ended.
    end: OnceCell<Epilogue>,
}

impl Burst {
    /// Who sends what is left.
    pub(super) fn set_end(&self, action: impl Fn() -> Result<()> + 'static) {
        self.end.get_or_init(|| Epilogue::new(action));
    }

    /// The channel leaves this thread, with nothing held back.
    pub(super) fn leave_thread(&self) {
        if let Some(end) = self.end.get() {
            end.cancel();
        }
    }

    /// Whether the command that copies has begun a burst. It hasn't ended then.
    fn is_running(&self) -> bool {
        self.end.get().is_some_and(Epilogue::is_armed)
    }

    /// Holds a piece back, as much of it as fits into the record; how much that is, and the record if it is full.
    fn hold(&self, piece: &[u8]) -> (usize, Option<Vec<u8>>) {
        let mut bytes = self.bytes.borrow_mut();
        let room = RECORD - bytes.len();
        bytes.reserve_exact(room);
        let count = piece.len().min(room);
        bytes.extend_from_slice(&piece[..count]);
        if bytes.len() == RECORD {
            return (count, Some(std::mem::take(&mut bytes)));
        }
        if let Some(end) = self.end.get() {
            end.arm();
        }
        (count, None)
    }
}

impl TlsChannel {
    /// Writes a piece of a copy, now or when others have joined it; how much of it was taken. `None`: it goes its way
    /// alone.
    pub(super) fn join(&self, piece: &[u8]) -> Result<Option<usize>> {
        let joins = piece.len() < RECORD
            && self.below.is_blocking()
            && (self.burst.is_running()
                || (self.is_open() && self.layer.get().is_some_and(Channel::is_copying)));
        if !joins {
            return self.send_burst().map(|()| None);
        }
        let (count, record) = self.burst.hold(piece);
        if let Some(record) = record {
            self.write_all(&record)?;
        }
        Ok(Some(count))
    }

    /// Sends what is held back of a burst, before anything else is done with the channel.
    pub(super) fn send_burst(&self) -> Result<()> {
        let rest = self.burst.bytes.take();
        match rest.is_empty() {
            true => Ok(()),
            false => self.write_all(&rest),
        }
    }

    /// The same when the command has ended; the error is that of a command that writes.
    pub(super) fn end_burst(&self) -> Result<()> {
        self.send_burst().map_err(|error| match error {
            Error::Io { errno, .. } => {
                let doing = format!("error writing \"{}\"", self.callbacks.name());
                files::os_error(errno, &doing)
            }
            error => error,
        })
    }

    /// Writes all of `bytes`. The channel is blocking.
    fn write_all(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes)? {
                Progress::Done(count) => bytes = &bytes[count..],
                _ => return Err(super::engine::io_failure(libc::EAGAIN)),
            }
        }
        Ok(())
    }
}
