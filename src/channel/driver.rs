//! What Tcl calls: [`Driver`] for [`TlsChannel`]. It only carries out what the engine and the interest table say.

use std::ffi::c_void;

use crate::error::{Error, Reason};
use crate::tcl::Interp;
use crate::tcl::channel::{Channel, Mask};
use crate::tcl::driver::{Driver, Failure, Kind, ThreadAction};

use super::engine::{Engine, Progress};
use super::failure::is_busy;
use super::parent::Parent;
use super::{TlsChannel, buffers, configure};

/// Tcl's record of our channel type.
static KIND: Kind<TlsChannel> = Kind::new(c"tls");

impl Driver for TlsChannel {
    fn kind() -> &'static Kind<Self> {
        &KIND
    }

    fn channel(&self) -> Option<Channel> {
        self.layer.open()
    }

    fn input(&self, buffer: &mut [u8]) -> Result<usize, Failure> {
        if self.has_held() {
            return Ok(self.give_held(buffer));
        }
        let _held = self.layer.hold();
        // The peer may wait for it.
        self.send_burst().map_err(|error| self.failure(error))?;
        self.disturbed.set(false);
        match self.run_waiting(|engine| self.fill(engine, buffer)) {
            Ok(Progress::Done(count)) if self.disturbed.take() => {
                self.held.borrow_mut().extend_from_slice(&buffer[..count]);
                Err(self.failure(self.busy()))
            }
            Ok(Progress::Done(count)) => {
                self.delivered.set(true);
                Ok(count)
            }
            Ok(Progress::Closed) => Ok(0),
            Ok(_) => Err(Failure::AGAIN),
            Err(error) if is_busy(&error) => {
                self.disturbed.set(true);
                Err(self.failure(error))
            }
            // Tcl throws away what it has collected when a read fails: first let it hand that to the script.
            Err(_) if !self.below.is_blocking() && self.delivered.replace(false) => {
                Err(Failure::AGAIN)
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    fn output(&self, bytes: &[u8]) -> Result<usize, Failure> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let _held = self.layer.hold();
        let outcome = match self.join(bytes) {
            Ok(Some(count)) => Ok(Progress::Done(count)),
            Ok(None) => self.write(bytes),
            Err(error) => Err(error),
        };
        self.grow();
        match outcome {
            Ok(Progress::Done(count)) => Ok(count),
            Ok(_) => Err(Failure::AGAIN),
            Err(error) => Err(self.failure(error)),
        }
    }

    fn close(&self, popped: bool) -> Result<(), Failure> {
        let sent = self.send_burst();
        self.layer.set(None);
        self.cancel_timers();
        let left = match self.below.channel().filter(|_| popped) {
            Some(under) => self.leave(under),
            None => {
                if let Ok(mut engine) = self.engine.try_borrow_mut() {
                    let finished = engine.peer_closed();
                    self.below.part(finished, || engine.close());
                }
                Ok(())
            }
        };
        self.below.watch(Mask::NONE);
        self.below.detach();
        sent.and(left).map_err(|error| self.failure(error))
    }

    fn watch(&self, mask: Mask) {
        self.wanted.set(mask);
        // Tcl calls this after each read of a script.
        self.grow();
        self.refresh();
    }

    fn handle(&self, mask: Mask) -> Mask {
        let up = self.events(mask);
        if up.is_none() {
            // Tcl asks for the events to watch only after it has passed one up.
            self.refresh();
        }
        up
    }

    fn set_blocking(&self, blocking: bool) {
        // What can't be sent is told by the next write.
        let _ = self.send_burst();
        self.below.set_blocking(blocking);
    }

    fn set_option(
        &self,
        interp: Option<Interp<'_>>,
        name: &str,
        value: &str,
    ) -> Option<Result<(), Error>> {
        configure::set(self, interp, name, value)
    }

    fn option_names(&self) -> &'static [&'static str] {
        configure::NAMES
    }

    fn settable_names(&self) -> &'static [&'static str] {
        configure::SETTABLE
    }

    fn option(&self, name: &str) -> Option<Result<String, Error>> {
        configure::get(self, name).map(Ok)
    }

    fn os_handle(&self, direction: Mask) -> Option<*mut c_void> {
        self.below
            .channel()
            .and_then(|below| below.os_handle(direction))
    }

    fn thread(&self, action: ThreadAction) {
        self.below.forget_watch();
        match action {
            ThreadAction::Remove => {
                let _ = self.send_burst();
                self.burst.leave_thread();
                self.cancel_timers();
                self.callbacks.leave_thread();
            }
            ThreadAction::Insert => {
                self.arm_watchdog();
                self.refresh();
            }
        }
    }

    fn poison(&self, error: Error) {
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            engine.abort(error);
        }
    }
}

impl TlsChannel {
    /// Makes Tcl's buffers larger once the handshake is done and something was said.
    pub(super) fn grow(&self) {
        // A callback's call may come in the middle of a read.
        if let Some(layer) = self.layer.get()
            && buffers::are_first(layer)
            && self.is_open()
            && self.engine.try_borrow_mut().is_ok()
        {
            buffers::grow(layer);
        }
    }

    /// Reads decrypted bytes, of several whole records where those are here already: a copy hands each buffer on as it is,
    /// even if it is far from full.
    fn fill(
        &self,
        engine: &mut Engine<Parent>,
        buffer: &mut [u8],
    ) -> Result<Progress<usize>, Error> {
        let progress = engine.read(buffer)?;
        let Progress::Done(mut count) = progress else {
            return Ok(progress);
        };
        // What goes wrong here, the next read finds again.
        self.below.with_allowance(0, || {
            while count < buffer.len() && self.below.has_ahead() && !engine.has_plaintext() {
                let rest = &mut buffer[count..];
                let fits = engine.peek().is_ok() && (1..=rest.len()).contains(&engine.plaintext());
                match fits.then(|| engine.read(rest)) {
                    Some(Ok(Progress::Done(more @ 1..))) => count += more,
                    _ => break,
                }
            }
        });
        Ok(Progress::Done(count))
    }

    /// Encrypts and writes some of `bytes`.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<Progress<usize>, Error> {
        self.run_waiting(|engine: &mut Engine<Parent>| {
            let progress = engine.write(bytes)?;
            match self.below.write_failure() {
                Some(error) => Err(error),
                None => Ok(progress),
            }
        })
    }

    /// Hands up what is held of an earlier read.
    fn give_held(&self, buffer: &mut [u8]) -> usize {
        let mut held = self.held.borrow_mut();
        let count = buffer.len().min(held.len());
        buffer[..count].copy_from_slice(&held[..count]);
        held.drain(..count);
        count
    }

    /// Leaves a channel that stays, as Tcl takes TLS off it by itself.
    fn leave(&self, under: Channel) -> Result<(), Error> {
        // Tcl has written what it could, and keeps the rest for the channel that stays.
        if under.output_buffered() > 0 {
            under.sever();
            let name = self.callbacks.name();
            let message = format!(
                "channel \"{name}\" had output to send: its connection was ended, and tls::unimport would have waited"
            );
            return Err(Error::failed(Reason::ChannelUnsent, message));
        }
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            // No script may run now, neither as a callback nor in the event loop: it could close the channel. One that is
            // not to block isn't held up by a peer that reads nothing, who then isn't told of the end.
            let waits = self.below.is_blocking() && under.os_handle(Mask::WRITABLE).is_some();
            while self.is_open() && engine.close_write() == Ok(Progress::WantWrite) {
                if !waits || self.below.wait(under, Mask::WRITABLE).is_err() {
                    break;
                }
            }
        }
        let ahead = self.below.take_ahead();
        if !ahead.is_empty() {
            // That was read beyond the end of TLS. A channel that can't take it back has lost it.
            let _ = under.unread(&ahead);
        }
        Ok(())
    }

    /// Cancels what is outstanding in this thread's event loop.
    fn cancel_timers(&self) {
        for timer in [self.timer.get(), self.watchdog.get()]
            .into_iter()
            .flatten()
        {
            timer.cancel();
        }
    }

    /// What Tcl is told of an error.
    fn failure(&self, error: Error) -> Failure {
        if is_busy(&error) && !self.below.is_blocking() {
            return Failure::AGAIN;
        }
        match error {
            Error::Io { errno, .. } => Failure { errno, error: None },
            Error::Failed {
                reason: Reason::ChannelBusy,
                ..
            } => Failure {
                errno: libc::EBUSY,
                error: Some(error),
            },
            _ => Failure {
                errno: libc::ECONNABORTED,
                error: Some(error),
            },
        }
    }
}

/// Takes the decrypted bytes that Tcl has buffered for a script, as they came from the peer.
pub(super) fn take_input(layer: Channel) -> Vec<u8> {
    let mut taken = vec![0; layer.input_buffered()];
    if taken.is_empty() {
        return taken;
    }
    // Reading translates, so that the channel must be binary for as long.
    let saved: Vec<_> = [c"-translation", c"-encoding", c"-eofchar"]
        .into_iter()
        .filter_map(|name| layer.option(name).map(|value| (name, value)))
        .collect();
    layer.set_option(c"-translation", "binary");
    let count = layer.read(&mut taken).unwrap_or(0);
    taken.truncate(count);
    for (name, value) in saved {
        layer.set_option(name, &value);
    }
    taken
}

/// Has Tcl forget that it has seen the end of the data: that was the end of TLS. Setting this option does so, even to
/// what it is.
pub(super) fn forget_end(under: Channel) {
    if let Some(value) = under.option(c"-eofchar") {
        under.set_option(c"-eofchar", &value);
    }
}
