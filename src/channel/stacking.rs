//! TLS comes on top of a channel, and is taken off.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use crate::error::Result;
use crate::ossl::ssl::share;
use crate::tcl::Interp;
use crate::tcl::channel::{Channel, Mask};
use crate::tcl::files;

use super::burst::Burst;
use super::callbacks::Callbacks;
use super::draft::{Dialed, Draft};
use super::engine::{Engine, Progress};
use super::failure::{closed, errno};
use super::layer::Layer;
use super::parent::{Below, Parent};
use super::{TlsChannel, buffers, driver};

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
}

/// Writes out what a channel has buffered, waiting if need be: it must not be mixed with what another layer writes.
pub(super) fn drain_output(channel: Channel) -> Result<()> {
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
