//! Floor 3: TLS under a Tcl channel.
//!
//! [`engine`] is TLS as a machine over `Read + Write`, [`parent`] the channel below as such a stream, [`interest`] the
//! decision which events to wait for, [`driver`] what Tcl calls. [`TlsChannel`] holds them together: here are its
//! operations, in [`stacking`] its beginning and end, in [`events`] what comes in between, in [`failure`] its errors.

#![forbid(unsafe_code)]

mod buffers;
mod burst;
mod callbacks;
mod configure;
mod draft;
mod driver;
mod engine;
mod events;
mod failure;
mod interest;
mod layer;
mod parent;
mod stacking;
pub(crate) mod status;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use openssl::ssl::{Ssl, SslRef};

use crate::context::hooks;
use crate::context::{Context, ask_certificate};
use crate::error::Result;
use crate::tcl::channel::Mask;
use crate::tcl::files;
use crate::tcl::timer::Timer;

use burst::Burst;
use callbacks::Callbacks;
use engine::Engine;
use failure::{closed, errno, is_panic};
use layer::Layer;
use parent::{Below, Parent};
use stacking::drain_output;

pub(crate) use callbacks::{Resolve, Scripts};
pub(crate) use draft::{Dialed, Draft, Parts};
pub(crate) use engine::{Progress, Totals};

/// A TLS layer on a Tcl channel.
#[derive(Debug)]
pub(crate) struct TlsChannel {
    /// A second handle to the connection, for questions that come while the engine is borrowed. It stands before the
    /// engine, so that it is dropped first: the connection mustn't outlive the stream that the engine gave it.
    facts: Ssl,
    /// The TLS machine; borrowed while an operation runs, and thereby through every callback of it.
    engine: RefCell<Engine<Parent>>,
    /// The context, for channels that take this one as their model.
    context: Arc<Context>,
    /// The channel below, shared with the engine.
    below: Rc<Below>,
    /// Our own layer.
    layer: Rc<Layer>,
    /// The caller's scripts.
    callbacks: Rc<Callbacks>,
    /// The events that the channel above wants.
    wanted: Cell<Mask>,
    /// Brings the events that the channel below doesn't: bytes that are here already, the end, a failure.
    timer: OnceCell<Timer>,
    /// Ends a handshake that takes too long.
    watchdog: OnceCell<Timer>,
    /// Whether bytes were handed up since the last event: then an error waits for the next one.
    delivered: Cell<bool>,
    /// Whether the failure was told to the script.
    told: Cell<bool>,
    /// Whether the layer has just come on top. If that was in an event of the channel below, Tcl sets that channel's
    /// watch once more afterwards, to what the script waits for rather than what the handshake needs.
    settling: Cell<bool>,
    /// Whether a script asked for the handshake and was told that it isn't done: then its end is an event.
    awaited: Cell<bool>,
    /// Whether a callback has tried to read in the middle of a read: Tcl's buffer for that one is lost then.
    disturbed: Cell<bool>,
    /// Decrypted bytes that such a buffer was to get.
    held: RefCell<Vec<u8>>,
    /// What waits for a record to become full.
    burst: Burst,
}

impl TlsChannel {
    /// Goes on with the handshake; in blocking mode, to its end.
    pub(crate) fn handshake(&self) -> Result<Progress<()>> {
        let progress = self.run_waiting(Engine::handshake)?;
        self.awaited.set(progress != Progress::Done(()));
        self.grow();
        Ok(progress)
    }

    /// Tells the peer that nothing more is sent, after all that was written so far. Reading goes on.
    pub(crate) fn close_write(&self) -> Result<Progress<()>> {
        if let Some(layer) = self.layer.get() {
            drain_output(layer)?;
        }
        self.send_burst()?;
        self.run_waiting(Engine::close_write)
    }

    /// Asks the client for its certificate, in TLS 1.3 after the handshake.
    pub(crate) fn request_certificate(&self) -> Result<Progress<()>> {
        self.run_waiting(|engine| {
            let progress = engine.handshake()?;
            if progress == Progress::Done(()) {
                ask_certificate(&self.facts)?;
                return engine.send_handshake();
            }
            Ok(progress)
        })
    }

    /// Whether the handshake is done.
    pub(crate) fn is_open(&self) -> bool {
        self.facts.is_init_finished() && self.facts.current_cipher().is_some()
    }

    /// OpenSSL's connection, for questions; allowed inside callbacks too.
    pub(crate) fn ssl(&self) -> &SslRef {
        &self.facts
    }

    /// What the connection has done so far; nothing while an operation has the engine.
    pub(crate) fn totals(&self) -> Totals {
        self.engine
            .try_borrow()
            .map(|engine| engine.totals())
            .unwrap_or_default()
    }

    /// The context, for a channel that takes this one as its model.
    pub(crate) fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context)
    }

    /// The scripts, for a channel that takes this one as its model.
    pub(crate) fn scripts(&self) -> Scripts {
        self.callbacks.scripts()
    }

    /// Runs an operation like [`TlsChannel::run`]. In blocking mode, waits where the channel below didn't.
    fn run_waiting<T>(
        &self,
        mut operation: impl FnMut(&mut Engine<Parent>) -> Result<Progress<T>>,
    ) -> Result<Progress<T>> {
        loop {
            let progress = self.run(&mut operation)?;
            let direction = match progress {
                Progress::WantRead => Mask::READABLE,
                Progress::WantWrite => Mask::WRITABLE,
                _ => return Ok(progress),
            };
            let Some(below) = self.below.channel() else {
                return Ok(progress);
            };
            if !self.below.is_blocking() {
                return Ok(progress);
            }
            if let Err(error) = self.below.wait(below, direction) {
                return Err(self.worded(files::os_error(errno(&error), "")));
            }
        }
    }

    /// Runs an operation of the engine. A second one, started by a callback of the first, is refused.
    fn run<T>(
        &self,
        operation: impl FnOnce(&mut Engine<Parent>) -> Result<Progress<T>>,
    ) -> Result<Progress<T>> {
        let outcome = match self.engine.try_borrow_mut() {
            Ok(mut engine) => {
                let hooks = hooks::enter(Rc::<Callbacks>::clone(&self.callbacks));
                let outcome = operation(&mut engine);
                // What a script did wrong was reported, and what that led to is the outcome. A panic is another matter.
                match hooks.leave() {
                    Err(error) if is_panic(&error) => {
                        engine.abort(error.clone());
                        Err(error)
                    }
                    _ => outcome,
                }
            }
            Err(_) => return Err(self.busy()),
        };
        if self.layer.get().is_none() {
            return Err(closed());
        }
        self.after(&outcome);
        outcome.map_err(|error| self.worded(error))
    }

    /// What follows an operation: the handshake's end, a failure that the script is told of, other events to wait for.
    fn after<T>(&self, outcome: &Result<Progress<T>>) {
        // Tcl keeps the end of the channel below for that of the whole stack. It isn't that: there may be more to read,
        // or a failure to tell of, and a script that asks `eof` first would take both for a proper end.
        if self.below.take_end()
            && let Some(layer) = self.layer.get()
        {
            driver::forget_end(layer);
        }
        if self.below.deadline().is_some() && self.is_open() {
            self.below.set_deadline(None);
            if let Some(watchdog) = self.watchdog.get() {
                watchdog.cancel();
            }
        }
        // First, because the script may run the event loop: what the channel below has to say is of no interest any more.
        self.refresh();
        if let Err(error) = outcome
            && !self.told.replace(true)
        {
            self.callbacks.error(&self.worded(error.clone()));
            self.refresh();
        }
    }
}
