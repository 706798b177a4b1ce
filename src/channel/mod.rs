//! Floor 3: TLS under a Tcl channel.
//!
//! [`engine`] is TLS as a machine over `Read + Write`, [`parent`] the channel below as such a stream, [`interest`] the
//! decision which events to wait for, [`driver`] what Tcl calls. [`TlsChannel`] holds them together.

#![forbid(unsafe_code)]

mod buffers;
mod burst;
mod callbacks;
mod configure;
mod driver;
mod engine;
mod interest;
mod layer;
mod parent;
pub(crate) mod status;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslRef};

use crate::context::hooks;
use crate::context::{Connection, Context, Endpoint, ask_certificate};
use crate::error::{Error, Reason, Result};
use crate::ossl::ssl::share;
use crate::tcl::Interp;
use crate::tcl::channel::{Channel, Mask};
use crate::tcl::files;
use crate::tcl::timer::Timer;

use burst::Burst;
use callbacks::Callbacks;
use engine::{Engine, Phase};
use interest::Situation;
use layer::Layer;
use parent::{Below, Parent};

pub(crate) use callbacks::{Resolve, Scripts};
pub(crate) use engine::{Progress, Totals};

/// What a TLS layer is made of.
pub(crate) struct Parts {
    /// The shared context.
    pub(crate) context: Arc<Context>,
    /// The connection's own settings. The hooks' part is filled in by what the scripts need.
    pub(crate) connection: Connection,
    /// Whether a client resumes sessions on its own.
    pub(crate) resumes: bool,
    /// The scripts.
    pub(crate) scripts: Scripts,
    /// How long the handshake may take.
    pub(crate) timeout: Option<Duration>,
    /// Whether a stream that ends without a close notification is taken for a proper end.
    pub(crate) forgives_cut: bool,
}

/// A connection that was made of its parts, and waits for its channel. All that its settings can have wrong was found out.
pub(crate) struct Draft {
    /// OpenSSL's connection.
    ssl: Ssl,
    /// What it was made of.
    parts: Parts,
}

impl Draft {
    /// Makes it.
    pub(crate) fn new(parts: Parts) -> Result<Self> {
        let ssl = parts.ssl()?;
        Ok(Self { ssl, parts })
    }

    /// The connection and its parts. A client goes on with a session of the server that it dials.
    fn finish(self, under: Channel, dialed: Dialed) -> Result<(Ssl, Parts)> {
        let Self { mut ssl, parts } = self;
        if parts.resumes
            && let Some(endpoint) = dialed.endpoint(under)
        {
            parts
                .context
                .offer_session(&mut ssl, &parts.connection, endpoint)?;
        }
        Ok((ssl, parts))
    }
}

/// What is known of a client's server where its channel may not be connected yet.
#[derive(Debug, Default)]
pub(crate) struct Dialed {
    /// The host.
    pub(crate) host: Option<String>,
    /// The port.
    pub(crate) port: Option<u16>,
}

impl Dialed {
    /// Where the server is. What isn't known is looked up in the channel's connection.
    fn endpoint(self, under: Channel) -> Option<Endpoint> {
        if let (Some(host), Some(port)) = (&self.host, self.port) {
            let host = host.clone();
            return Some(Endpoint { host, port });
        }
        let address = under.peer_address()?;
        Some(Endpoint {
            host: self.host.unwrap_or_else(|| address.ip().to_string()),
            port: self.port.unwrap_or_else(|| address.port()),
        })
    }
}

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
    /// Puts TLS on top of a stack and returns the new layer. Nothing is sent yet.
    pub(crate) fn stack(
        interp: Interp<'_>,
        under: Channel,
        draft: Draft,
        dialed: Dialed,
    ) -> Result<Channel> {
        if let Some(tls) = under.driver::<Self>()
            && tls.engine.try_borrow_mut().is_err()
        {
            return Err(tls.busy());
        }
        let (ssl, parts) = draft.finish(under, dialed)?;
        drain_output(under)?;
        let below = Rc::new(Below::default());
        let layer = Rc::new(Layer::default());
        let facts = share(&ssl);
        let engine = Engine::new(ssl, Parent(Rc::clone(&below)), parts.forgives_cut)?;
        let tls = Rc::new(Self {
            engine: RefCell::new(engine),
            facts,
            context: parts.context,
            callbacks: Rc::new(Callbacks::new(
                under.name(),
                Rc::clone(&layer),
                parts.scripts,
            )),
            below,
            layer,
            wanted: Cell::new(Mask::NONE),
            timer: OnceCell::new(),
            watchdog: OnceCell::new(),
            delivered: Cell::new(false),
            told: Cell::new(false),
            settling: Cell::new(true),
            awaited: Cell::new(false),
            disturbed: Cell::new(false),
            held: RefCell::default(),
            burst: Burst::default(),
        });
        tls.below.set_blocking(under.is_blocking());
        tls.below.attach(under);
        // TLS sends messages of its own, such as session tickets. The data behind them isn't to wait until the peer has
        // acknowledged them, which it does late.
        under.send_at_once();
        // The cells were just made, so that they are empty.
        let _ = tls.timer.set(tls.make_timer(Self::on_timer));
        let _ = tls.watchdog.set(tls.make_timer(Self::on_timeout));
        let weak = Rc::downgrade(&tls);
        tls.burst
            .set_end(move || weak.upgrade().map_or(Ok(()), |tls| tls.end_burst()));
        let layer = under.stack(interp, Rc::clone(&tls))?;
        tls.layer.set(Some(layer));
        buffers::begin(layer);
        if let Some(timeout) = parts.timeout {
            tls.below.set_deadline(Some(Instant::now() + timeout));
            tls.arm_watchdog();
        }
        layer.announce_interest();
        Ok(layer)
    }

    /// Takes TLS off a stack. What was decrypted and not read yet, and what was read beyond the end of TLS, is what the
    /// script reads next. Returns how many bytes that are.
    pub(crate) fn unstack(&self, interp: Interp<'_>) -> Result<usize> {
        let layer = self.layer.get().ok_or_else(|| self.busy())?;
        let under = self.below.channel().ok_or_else(|| self.busy())?;
        if self.engine.try_borrow_mut().is_err() {
            return Err(self.busy());
        }
        if self.is_open() {
            drain_output(layer)?;
            self.send_burst()?;
            // That may have called a script.
            self.layer.get().ok_or_else(closed)?;
        }
        let mut unread = driver::take_input(layer);
        unread.append(&mut self.held.borrow_mut());
        let mut buffer = vec![0; 16 * 1024];
        // Only what is here already: nothing is read from below.
        while self.is_open()
            && let Ok(Progress::Done(count @ 1..)) = self
                .below
                .with_allowance(0, || self.run(|engine| engine.read(&mut buffer)))
        {
            unread.extend_from_slice(&buffer[..count]);
        }
        unread.extend(self.below.take_ahead());
        self.tell_the_end(under)?;
        // So may that have, or the channel below, which may be a script itself.
        self.layer.get().ok_or_else(closed)?;
        buffers::end(layer);
        // Closing the driver then has nothing to say.
        self.below.watch(Mask::NONE);
        self.below.detach();
        layer
            .unstack(interp)
            .inspect_err(|_| self.below.attach(under))?;
        driver::forget_end(under);
        if !unread.is_empty() {
            let put_back = under.unread(&unread);
            put_back.map_err(|error| files::os_error(errno(&error), "can't put input back"))?;
        }
        Ok(unread.len())
    }

    /// Tells the peer that TLS ends here, waiting if need be: it must not be mixed with what is written next.
    fn tell_the_end(&self, under: Channel) -> Result<()> {
        while self.is_open() && self.run(Engine::close_write) == Ok(Progress::WantWrite) {
            let waited = self.below.wait(under, Mask::WRITABLE);
            waited.map_err(|error| self.worded(files::os_error(errno(&error), "")))?;
        }
        Ok(())
    }

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

    /// A timer of this channel. It doesn't keep the channel alive.
    fn make_timer(self: &Rc<Self>, action: fn(&Self)) -> Timer {
        let weak = Rc::downgrade(self);
        Timer::new(move || {
            if let Some(tls) = weak.upgrade() {
                action(&tls);
            }
        })
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

    /// Asks the channel below, or the timer, for the events that matter now.
    fn refresh(&self) {
        if self.layer.get().is_none() {
            return;
        }
        let Ok(engine) = self.engine.try_borrow() else {
            // The operation that has the engine does this when it ends. Until then its channel is quiet: an event
            // that can't be dealt with would come again and again.
            self.below.watch(Mask::NONE);
            return;
        };
        let situation = Situation {
            wanted: self.wanted.get(),
            phase: engine.phase(),
            bytes_ready: engine.has_plaintext() || self.has_held() || self.below.has_input(),
            peer_closed: engine.peer_closed(),
            read_waits_to_write: engine.read_waits_to_write(),
            write_waits_to_read: engine.write_waits_to_read(),
        };
        drop(engine);
        let interest = situation.interest();
        self.below.watch(interest.below);
        match self.timer.get() {
            Some(timer) if interest.timer || self.settling.get() => timer.arm(0),
            Some(timer) => timer.cancel(),
            None => {}
        }
    }

    /// The timer fired: bytes are here that no event of the channel below tells of.
    fn on_timer(&self) {
        let Some(layer) = self.layer.get() else {
            return;
        };
        if self.settling.take() {
            self.below.forget_watch();
        }
        self.delivered.set(false);
        // No event says that a read of the channel below wouldn't wait.
        let mask = match self.wanted.get() {
            Mask::NONE => Mask::NONE,
            wanted => self
                .below
                .with_allowance(0, || self.look(Mask::READABLE, wanted)),
        };
        match mask.is_none() {
            true => self.refresh(),
            // Tcl asks afterwards which events to watch for.
            false => layer.notify(mask),
        }
    }

    /// Lets the watchdog wake up at the deadline.
    fn arm_watchdog(&self) {
        if let (Some(watchdog), Some(deadline)) = (self.watchdog.get(), self.below.deadline()) {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .as_millis();
            watchdog.arm(u32::try_from(left + 1).unwrap_or(u32::MAX));
        }
    }

    /// The handshake takes too long.
    fn on_timeout(&self) {
        if self.is_open() {
            return;
        }
        // The deadline has passed, so that the operation ends in a failure at once.
        let _ = self.run(|engine| {
            let error = timed_out();
            engine.abort(error.clone());
            Err::<Progress<()>, _>(error)
        });
    }

    /// The events to pass up, when `mask` came from below.
    fn events(&self, mask: Mask) -> Mask {
        let wanted = self.wanted.get();
        self.delivered.set(false);
        // In blocking mode, an event promises one read without waiting and no more.
        let reads = match mask.has(Mask::READABLE) {
            true if self.below.is_blocking() => 1,
            true => u32::MAX,
            false => 0,
        };
        self.below.with_allowance(reads, || self.look(mask, wanted))
    }

    /// Looks which events there are, in reads that [`TlsChannel::events`] has counted.
    fn look(&self, mask: Mask, wanted: Mask) -> Mask {
        let due = self.due(mask, wanted);
        // Nobody may be told of an event on a channel that a callback has closed.
        self.layer.get().map_or(Mask::NONE, |_| due)
    }

    /// The events that there are, whether or not the channel still is.
    fn due(&self, mask: Mask, wanted: Mask) -> Mask {
        // A handler that has yet to ask for the handshake is told of its end as well, or it might wait for ever: the
        // peer may wait for it to say the first word. One that blocks isn't, because it may read a line right away. The
        // engine knows the first handshake from a renegotiation, which is carried on by reading.
        let first = self.engine.try_borrow();
        let first = first.is_ok_and(|engine| matches!(engine.phase(), Phase::Handshake(_)));
        let newly = first && !self.below.is_blocking();
        match self.run(Engine::handshake) {
            Ok(Progress::Done(())) if self.awaited.take() || newly => return wanted,
            Ok(Progress::Done(())) => {}
            Ok(_) => return Mask::NONE,
            Err(error) if is_busy(&error) => return Mask::NONE,
            Err(_) => return wanted,
        }
        let reading = wanted.has(Mask::READABLE)
            && (self.has_held()
                || match self.run(Engine::peek) {
                    Ok(Progress::Done(_) | Progress::Closed) => true,
                    Ok(_) => false,
                    Err(error) => !is_busy(&error),
                });
        let writing =
            wanted.has(Mask::WRITABLE) && (mask.has(Mask::WRITABLE) || self.write_can_go_on(mask));
        Mask::NONE
            .with_if(Mask::READABLE, reading)
            .with_if(Mask::WRITABLE, writing)
    }

    /// Whether decrypted bytes are held for the next read.
    fn has_held(&self) -> bool {
        !self.held.borrow().is_empty()
    }

    /// Whether a write that waited for data from the peer may be tried again.
    fn write_can_go_on(&self, mask: Mask) -> bool {
        self.engine.try_borrow().is_ok_and(|engine| {
            engine.write_waits_to_read() && (mask.has(Mask::READABLE) || engine.has_plaintext())
        })
    }

    /// The error for an operation that a callback of another one has started.
    fn busy(&self) -> Error {
        let name = self.callbacks.name();
        Error::failed(
            Reason::ChannelBusy,
            format!("channel \"{name}\" is busy with an operation that a callback interrupted"),
        )
    }

    /// An error with what the engine doesn't know: the operating system's reasons in Tcl's words, why connecting
    /// failed, and where in the chain a certificate was refused.
    fn worded(&self, error: Error) -> Error {
        match error {
            Error::Io {
                errno: libc::ETIMEDOUT,
                ..
            } if self.below.deadline().is_some() => timed_out(),
            Error::Io { errno, .. } => match self.below.connect_error() {
                Some(why) => Error::failed_with(
                    Reason::HandshakeFailed,
                    ["CONNECT", &why],
                    format!("handshake failed: {why}"),
                ),
                None => files::os_error(
                    errno,
                    if self.is_open() {
                        ""
                    } else {
                        "handshake failed"
                    },
                ),
            },
            Error::Failed {
                reason: Reason::HandshakeFailed,
                ref details,
                ..
            } if details.last().is_some_and(|why| why == "callback failed") => {
                match self.callbacks.refused() {
                    Some(event) => Error::failed_with(
                        Reason::HandshakeFailed,
                        ["CALLBACK", event],
                        format!("handshake failed: the callback for {event} refused"),
                    ),
                    None => error,
                }
            }
            Error::Failed {
                reason: Reason::HandshakeFailed,
                mut details,
                message,
            } => {
                if details.first().is_some_and(|kind| kind == "VERIFY") && details.len() == 2 {
                    details.extend(self.callbacks.fault_depth().map(|depth| depth.to_string()));
                }
                Error::Failed {
                    reason: Reason::HandshakeFailed,
                    details,
                    message,
                }
            }
            other => other,
        }
    }
}

impl Parts {
    /// A connection of the context with these settings.
    fn ssl(&self) -> Result<Ssl> {
        let watched = Callbacks::is_needed(&self.scripts);
        let connection = Connection {
            info: watched,
            messages: watched,
            ..self.connection.clone()
        };
        self.context.ssl(&connection)
    }
}

/// The error of an operation in whose middle a callback has closed the channel.
fn closed() -> Error {
    Error::failed(
        Reason::ChannelClosed,
        "the channel was closed by its callback",
    )
}

/// The error of a handshake that took too long.
fn timed_out() -> Error {
    Error::failed(Reason::HandshakeTimeout, "handshake failed: timeout")
}

/// The errno value of an I/O error.
fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Whether an error is a panic that was caught.
fn is_panic(error: &Error) -> bool {
    matches!(
        error,
        Error::Failed {
            reason: Reason::Panic,
            ..
        }
    )
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
        files::os_error(errno(&error), &doing)
    })
}
