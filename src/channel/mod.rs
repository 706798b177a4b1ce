//! Floor 3: TLS under a Tcl channel.
//!
//! [`engine`] is TLS as a machine over `Read + Write`, [`parent`] the channel below as such a stream, [`interest`] the
//! decision which events to wait for, [`driver`] what Tcl calls. [`TlsChannel`] holds them together.

#![forbid(unsafe_code)]

mod driver;
mod engine;
mod interest;
mod parent;
pub(crate) mod status;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use openssl::ssl::{Ssl, SslRef};

use crate::error::{Error, Reason, Result};
use crate::ossl::ssl::share;
use crate::tcl::Interp;
use crate::tcl::channel::{Channel, Mask};
use crate::tcl::files;
use crate::tcl::timer::Timer;

use engine::{Engine, Phase};
use interest::Situation;
use parent::{Below, Parent};

pub(crate) use engine::Progress;

/// A TLS layer on a Tcl channel.
#[derive(Debug)]
pub(crate) struct TlsChannel {
    /// The TLS machine; borrowed while an operation runs, and thereby through every callback of it.
    engine: RefCell<Engine<Parent>>,
    /// A second handle to the connection, for questions that come while the engine is borrowed.
    facts: Ssl,
    /// The channel below, shared with the engine.
    below: Rc<Below>,
    /// Our own layer; none before it is stacked and after it is gone.
    layer: Cell<Option<Channel>>,
    /// Whether the script wants operations to block.
    blocking: Cell<bool>,
    /// The events that the channel above wants.
    wanted: Cell<Mask>,
    /// Brings the events that the channel below doesn't: bytes that are here already, the end, a failure.
    timer: OnceCell<Timer>,
    /// Whether bytes were handed up since the last event: then an error waits for the next one.
    delivered: Cell<bool>,
}

impl TlsChannel {
    /// Puts TLS on top of a stack and returns the new layer. Nothing is sent yet.
    pub(crate) fn stack(
        interp: Interp<'_>,
        under: Channel,
        ssl: Ssl,
        server: bool,
    ) -> Result<Channel> {
        drain_output(under)?;
        let below = Rc::new(Below::default());
        let facts = share(&ssl);
        let engine = Engine::new(ssl, server, Parent(Rc::clone(&below)))?;
        let tls = Rc::new(Self {
            engine: RefCell::new(engine),
            facts,
            below,
            layer: Cell::new(None),
            blocking: Cell::new(under.is_blocking()),
            wanted: Cell::new(Mask::NONE),
            timer: OnceCell::new(),
            delivered: Cell::new(false),
        });
        let weak = Rc::downgrade(&tls);
        let timer = Timer::new(move || {
            if let Some(tls) = weak.upgrade() {
                tls.on_timer();
            }
        });
        // The cell was just made, so that it is empty.
        let _ = tls.timer.set(timer);
        tls.below.attach(under);
        let layer = under.stack(interp, Rc::clone(&tls))?;
        tls.layer.set(Some(layer));
        tls.refresh();
        Ok(layer)
    }

    /// Takes TLS off a stack. What was decrypted and not read yet, and what was read beyond the end of TLS, is what the
    /// script reads next. Returns how many bytes that are.
    pub(crate) fn unstack(&self, interp: Interp<'_>) -> Result<usize> {
        let Some(layer) = self.layer.get() else {
            return Err(self.busy());
        };
        if self.engine.try_borrow_mut().is_err() {
            return Err(self.busy());
        }
        drain_output(layer)?;
        let mut unread = driver::take_input(layer);
        let mut buffer = vec![0; 16 * 1024];
        // Only what is here already: nothing is read from below.
        while let Ok(Progress::Done(count)) = self
            .below
            .with_allowance(0, || self.run(|engine| engine.read(&mut buffer)))
        {
            unread.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
        }
        unread.extend(self.below.take_ahead());
        let Some(under) = self.below.channel() else {
            return Err(self.busy());
        };
        layer.unstack(interp)?;
        if !unread.is_empty() {
            under.unread(&unread).map_err(|error| {
                files::os_error(
                    error.raw_os_error().unwrap_or(libc::EIO),
                    "can't put input back",
                )
            })?;
        }
        Ok(unread.len())
    }

    /// Goes on with the handshake.
    pub(crate) fn handshake(&self) -> Result<Progress<()>> {
        self.run(Engine::handshake)
    }

    /// Whether the handshake is done.
    pub(crate) fn is_open(&self) -> bool {
        self.facts.is_init_finished() && self.facts.current_cipher().is_some()
    }

    /// OpenSSL's connection, for questions; allowed inside callbacks too.
    pub(crate) fn ssl(&self) -> &SslRef {
        &self.facts
    }

    /// Runs an operation of the engine. A second one, started by a callback of the first, is refused.
    fn run<T>(
        &self,
        operation: impl FnOnce(&mut Engine<Parent>) -> Result<Progress<T>>,
    ) -> Result<Progress<T>> {
        let outcome = match self.engine.try_borrow_mut() {
            Ok(mut engine) => operation(&mut engine),
            Err(_) => return Err(self.busy()),
        };
        self.refresh();
        outcome.map_err(|error| self.worded(error))
    }

    /// Asks the channel below, or the timer, for the events that matter now.
    fn refresh(&self) {
        let Ok(engine) = self.engine.try_borrow() else {
            // The operation that has the engine does this when it ends. Until then its channel is quiet: an event
            // that can't be dealt with would come again and again.
            self.below.watch(Mask::NONE);
            return;
        };
        let situation = Situation {
            wanted: self.wanted.get(),
            phase: engine.phase(),
            bytes_ready: engine.has_plaintext() || self.below.has_ahead(),
            peer_closed: engine.peer_closed(),
            read_waits_to_write: engine.read_waits_to_write(),
            write_waits_to_read: engine.write_waits_to_read(),
        };
        drop(engine);
        let interest = situation.interest();
        self.below.watch(interest.below);
        match self.timer.get() {
            Some(timer) if interest.timer => timer.arm(0),
            Some(timer) => timer.cancel(),
            None => {}
        }
    }

    /// The timer fired: bytes are here that no event of the channel below tells of.
    fn on_timer(&self) {
        let Some(layer) = self.layer.get() else {
            return;
        };
        let mask = self.events(Mask::READABLE);
        match mask.is_none() {
            true => self.refresh(),
            // Tcl asks afterwards which events to watch for.
            false => layer.notify(mask),
        }
    }

    /// The events to pass up, when `mask` came from below.
    fn events(&self, mask: Mask) -> Mask {
        let wanted = self.wanted.get();
        self.delivered.set(false);
        // In blocking mode, an event promises one read without waiting and no more.
        let reads = if self.blocking.get() { 1 } else { u32::MAX };
        let reads = if mask.has(Mask::READABLE) { reads } else { 0 };
        match self.below.with_allowance(reads, || self.handshake()) {
            Ok(Progress::Done(())) => {}
            Ok(_) => return Mask::NONE,
            Err(error) if is_busy(&error) => return Mask::NONE,
            Err(_) => return wanted,
        }
        if self.layer.get().is_none() {
            // A callback closed the channel.
            return Mask::NONE;
        }
        let reading = wanted.has(Mask::READABLE)
            && match self.below.with_allowance(reads, || self.run(Engine::peek)) {
                Ok(Progress::Done(_) | Progress::Closed) => true,
                Ok(_) => false,
                Err(error) => !is_busy(&error),
            };
        let writing = wanted.has(Mask::WRITABLE) && mask.has(Mask::WRITABLE);
        let writing = writing || (wanted.has(Mask::WRITABLE) && self.write_can_go_on());
        Mask::NONE
            .with_if(Mask::READABLE, reading)
            .with_if(Mask::WRITABLE, writing)
    }

    /// Whether a write that waited for data from the peer may be tried again.
    fn write_can_go_on(&self) -> bool {
        self.engine
            .try_borrow()
            .is_ok_and(|engine| engine.write_waits_to_read() && engine.has_plaintext())
    }

    /// The error for an operation that a callback of another one has started.
    fn busy(&self) -> Error {
        let name = self.layer.get().map(Channel::name).unwrap_or_default();
        Error::failed(
            Reason::ChannelBusy,
            format!("channel \"{name}\" is busy with an operation that a callback interrupted"),
        )
    }

    /// An operating system error in Tcl's words; others as they are.
    fn worded(&self, error: Error) -> Error {
        let Error::Io { errno, .. } = error else {
            return error;
        };
        let doing = if self.is_open() {
            ""
        } else {
            "handshake failed"
        };
        match self.below.connect_error() {
            Some(why) => Error::failed_with(
                Reason::HandshakeFailed,
                ["CONNECT", &why],
                format!("handshake failed: {why}"),
            ),
            None => files::os_error(errno, doing),
        }
    }
}

/// Whether an error only says that another operation has the channel.
fn is_busy(error: &Error) -> bool {
    matches!(
        error,
        Error::Failed {
            reason: Reason::ChannelBusy,
            ..
        }
    )
}

/// Writes out what a channel has buffered, waiting if need be: it must not be mixed with what another layer writes.
fn drain_output(channel: Channel) -> Result<()> {
    if channel.output_buffered() == 0 {
        return Ok(());
    }
    let blocking = channel.is_blocking();
    if !blocking {
        channel.set_option(c"-blocking", "1");
    }
    let outcome = channel.flush();
    if !blocking {
        channel.set_option(c"-blocking", "0");
    }
    outcome.map_err(|error| {
        let doing = format!("can't flush channel \"{}\"", channel.name());
        files::os_error(error.raw_os_error().unwrap_or(libc::EIO), &doing)
    })
}
