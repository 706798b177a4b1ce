//! `Read + Write` over the channel below, reading ahead so that one read serves several TLS records.
//!
//! What was read ahead and not used is handed back when the TLS layer is taken off.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Instant;

use crate::context::COUNTERS;
use crate::error::Error;
use crate::tcl::channel::{Channel, Mask};

use super::engine::stream_failure;

/// How much is read from below at once: a few records of the largest size.
const READ_AHEAD: usize = 64 * 1024;

thread_local! {
    /// A buffer for the next read ahead, so that idle connections need none of their own.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the TLS layer knows of the channel below; shared between the engine, which reads and writes, and the driver.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// The channel; none before the TLS layer is stacked and after it is gone.
    channel: Cell<Option<Channel>>,
    /// The buffer of bytes read ahead; empty when there are none.
    ahead: RefCell<Vec<u8>>,
    /// Where in it the unused bytes begin.
    start: Cell<usize>,
    /// Where in it they end.
    end: Cell<usize>,
    /// The events that the channel below was last asked for.
    watched: Cell<Option<Mask>>,
    /// Whether the script wants operations to block.
    blocking: Cell<bool>,
    /// Until when a blocking read or write may wait.
    deadline: Cell<Option<Instant>>,
    /// How many reads of the channel are still allowed: in an event, a blocking channel must not be read twice.
    allowance: Cell<Option<u32>>,
    /// Why nothing can be written any more. OpenSSL isn't told, because it would read no more either: what the peer
    /// sent before it went could be its reason.
    write_failure: RefCell<Option<Error>>,
    /// While the last bytes are written: those that found no room.
    parting: RefCell<Option<Vec<u8>>>,
    /// Whether the channel below came to its end since that was last asked.
    ended: Cell<bool>,
    /// Why connecting failed, in the operating system's words; the channel tells it only once.
    connect_error: RefCell<Option<String>>,
}

impl Below {
    /// Attaches the channel below.
    pub(super) fn attach(&self, channel: Channel) {
        self.channel.set(Some(channel));
    }

    /// Whether the script wants operations to block.
    pub(super) fn is_blocking(&self) -> bool {
        self.blocking.get()
    }

    /// Makes operations block or not.
    pub(super) fn set_blocking(&self, blocking: bool) {
        self.blocking.set(blocking);
    }

    /// Until when a blocking read or write may wait.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }

    /// Sets until when a blocking read or write may wait.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }

    /// Waits, at most until the deadline, for the channel below to be ready.
    pub(super) fn wait(&self, channel: Channel, direction: Mask) -> io::Result<()> {
        match channel.wait(direction, self.deadline.get())? {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
        }
    }

    /// Forgets the channel below: it is about to go.
    pub(super) fn detach(&self) {
        self.channel.set(None);
    }

    /// The channel below.
    pub(super) fn channel(&self) -> Option<Channel> {
        self.channel.get()
    }

    /// Asks the channel below for events, unless it was last asked for the same.
    pub(super) fn watch(&self, mask: Mask) {
        if let Some(channel) = self.channel.get()
            && self.watched.replace(Some(mask)) != Some(mask)
        {
            channel.watch(mask);
        }
    }

    /// Forgets what was asked for: another thread's event loop knows nothing of it.
    pub(super) fn forget_watch(&self) {
        self.watched.set(None);
    }

    /// Whether bytes read ahead wait to be used.
    pub(super) fn has_ahead(&self) -> bool {
        self.start.get() < self.end.get()
    }

    /// Whether the channel below came to its end since this was last asked.
    pub(super) fn take_end(&self) -> bool {
        self.ended.take()
    }

    /// The error of a write that failed because the peer is gone.
    pub(super) fn write_failure(&self) -> Option<Error> {
        self.write_failure.borrow().clone()
    }

    /// Whether there is input that no event of the channel below tells of.
    pub(super) fn has_input(&self) -> bool {
        self.has_ahead() || self.channel.get().is_some_and(Channel::has_pushed_back)
    }

    /// Takes leave of the channel below, which is about to be closed: what `last` writes is sent even if there is no room
    /// for it now. What a peer has sent that isn't `finished` doesn't get in the way.
    pub(super) fn part(&self, finished: bool, last: impl FnOnce()) {
        let Some(channel) = self.channel.get() else {
            return;
        };
        // Only the bottom layer takes bytes as they are.
        let bottom = channel.below().is_none();
        self.parting.replace(bottom.then(Vec::new));
        last();
        let rest = self.parting.take().unwrap_or_default();
        if bottom && !finished {
            self.discard(channel);
        }
        if !rest.is_empty() {
            channel.send_later(rest);
        }
    }

    /// Reads what has come and throws it away. A socket that is closed with unread input resets the connection, and what
    /// was written last is lost with it: a client that only writes never reads the server's session tickets. What is made
    /// of script may have a socket below that the system can't be asked about, and is asked itself not to wait.
    fn discard(&self, channel: Channel) {
        let known = channel.os_handle(Mask::READABLE).is_some();
        if !known && self.is_blocking() && !channel.set_layer_blocking(false) {
            return;
        }
        let mut buffer = SPARE.take();
        buffer.resize(READ_AHEAD, 0);
        for _ in 0..DISCARDS {
            if known && !channel.is_readable() {
                break;
            }
            match channel.read_raw(&mut buffer) {
                Ok(1..) => {}
                Ok(0) => break,
                Err(_) => {
                    // Closing isn't to raise it.
                    channel.take_error();
                    break;
                }
            }
        }
        SPARE.set(buffer);
        if !known && self.is_blocking() {
            channel.set_layer_blocking(true);
        }
    }

    /// Takes the bytes that were read ahead and not used.
    pub(super) fn take_ahead(&self) -> Vec<u8> {
        if !self.has_ahead() {
            return Vec::new();
        }
        let unused = self.start.replace(0)..self.end.replace(0);
        let mut ahead = self.ahead.take();
        ahead.truncate(unused.end);
        ahead.split_off(unused.start)
    }

    /// Runs `operation` while at most `reads` reads of the channel below are allowed.
    pub(super) fn with_allowance<R>(&self, reads: u32, operation: impl FnOnce() -> R) -> R {
        let outer = self.allowance.replace(Some(reads));
        let outcome = operation();
        self.allowance.set(outer);
        outcome
    }

    /// Why connecting failed.
    pub(super) fn connect_error(&self) -> Option<String> {
        self.connect_error.borrow().clone()
    }

    /// The error of a read or write below. A socket that never got connected says why just once, so it is kept. What is
    /// made of script has words of its own.
    fn failed(&self, channel: Channel, error: io::Error) -> io::Error {
        if error.kind() != ErrorKind::WouldBlock
            && let Some(own) = channel.take_error()
        {
            return io::Error::other(own);
        }
        if error.raw_os_error() == Some(libc::ENOTCONN) && self.connect_error.borrow().is_none() {
            let told = channel.option(c"-error").filter(|text| !text.is_empty());
            self.connect_error.replace(told);
        }
        error
    }

    /// Serves a read from what was read ahead, after reading ahead if there is nothing.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.has_ahead() && !self.fill()? {
            return Ok(0);
        }
        let start = self.start.get();
        let count = buffer.len().min(self.end.get() - start);
        buffer[..count].copy_from_slice(&self.ahead.borrow()[start..start + count]);
        self.start.set(start + count);
        if !self.has_ahead() {
            SPARE.set(self.ahead.take());
        }
        Ok(count)
    }

    /// Reads ahead; `false` at the end of the data.
    fn fill(&self) -> io::Result<bool> {
        let channel = self.channel.get().ok_or(ErrorKind::NotConnected)?;
        if let Some(allowed) = self.allowance.get()
            && !channel.has_pushed_back()
        {
            self.allowance
                .set(Some(allowed.checked_sub(1).ok_or(ErrorKind::WouldBlock)?));
        }
        self.wait_for_deadline(channel, Mask::READABLE)?;
        let mut buffer = SPARE.take();
        buffer.resize(READ_AHEAD, 0);
        // The channel below may be a script: nothing of ours is borrowed during the call.
        COUNTERS.below_reads.add();
        let outcome = channel.read_raw(&mut buffer);
        match outcome {
            Ok(count) if count > 0 => {
                self.start.set(0);
                self.end.set(count);
                self.ahead.replace(buffer);
                Ok(true)
            }
            Ok(_) => {
                SPARE.set(buffer);
                self.ended.set(true);
                Ok(false)
            }
            Err(error) => {
                SPARE.set(buffer);
                Err(self.failed(channel, error))
            }
        }
    }

    /// Where there is a deadline, waits for a blocking channel here, since the channel itself knows no end.
    fn wait_for_deadline(&self, channel: Channel, direction: Mask) -> io::Result<()> {
        match self.deadline.get() {
            Some(_) if self.blocking.get() && self.allowance.get().is_none() => {
                self.wait(channel, direction)
            }
            _ => Ok(()),
        }
    }

    /// Writes to the channel below.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let channel = self.channel.get().ok_or(ErrorKind::NotConnected)?;
        if let Some(waiting) = self
            .parting
            .borrow_mut()
            .as_mut()
            .filter(|waiting| !waiting.is_empty())
        {
            waiting.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        if self.write_failure.borrow().is_some() {
            return Ok(bytes.len());
        }
        // A socket that isn't connected yet would wait as long as the system does.
        if channel.os_handle(Mask::WRITABLE).is_some() {
            self.wait_for_deadline(channel, Mask::WRITABLE)?;
        }
        COUNTERS.below_writes.add();
        match channel.write_raw(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                match self.parting.borrow_mut().as_mut() {
                    Some(waiting) => {
                        waiting.extend_from_slice(bytes);
                        Ok(bytes.len())
                    }
                    None => Err(error),
                }
            }
            Err(error) if is_final(&error) => {
                let error = stream_failure(&self.failed(channel, error));
                self.write_failure.replace(Some(error));
                Ok(bytes.len())
            }
            outcome => outcome.map_err(|error| self.failed(channel, error)),
        }
    }
}

/// Whether a write failed because the peer is gone.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}

/// How often input is read to be thrown away: a peer that doesn't stop must not hold us.
const DISCARDS: usize = 16;

/// The engine's end of [`Below`].
#[derive(Debug)]
pub(super) struct Parent(pub(super) Rc<Below>);

impl Read for Parent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Parent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
