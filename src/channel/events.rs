//! Which events a TLS channel waits for, and what it does when they come: those of the channel below, and of its timers.

use std::rc::Rc;
use std::time::Instant;

use crate::tcl::channel::Mask;
use crate::tcl::timer::Timer;

use super::TlsChannel;
use super::engine::{Engine, Phase, Progress};
use super::failure::{is_busy, timed_out};
use super::interest::Situation;

impl TlsChannel {
    /// A timer of this channel. It doesn't keep the channel alive.
    pub(super) fn make_timer(self: &Rc<Self>, action: fn(&Self)) -> Timer {
        let weak = Rc::downgrade(self);
        Timer::new(move || {
            if let Some(tls) = weak.upgrade() {
                action(&tls);
            }
        })
    }

    /// Asks the channel below, or the timer, for the events that matter now.
    pub(super) fn refresh(&self) {
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
    pub(super) fn on_timer(&self) {
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
    pub(super) fn arm_watchdog(&self) {
        if let (Some(watchdog), Some(deadline)) = (self.watchdog.get(), self.below.deadline()) {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .as_millis();
            watchdog.arm(u32::try_from(left + 1).unwrap_or(u32::MAX));
        }
    }

    /// The handshake takes too long.
    pub(super) fn on_timeout(&self) {
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
    pub(super) fn events(&self, mask: Mask) -> Mask {
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
    pub(super) fn has_held(&self) -> bool {
        !self.held.borrow().is_empty()
    }

    /// Whether a write that waited for data from the peer may be tried again.
    fn write_can_go_on(&self, mask: Mask) -> bool {
        self.engine.try_borrow().is_ok_and(|engine| {
            engine.write_waits_to_read() && (mask.has(Mask::READABLE) || engine.has_plaintext())
        })
    }
}
