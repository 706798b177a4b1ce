//! A TLS channel's own layer: whether it is there, and whether a script still has it.
//!
//! Tcl can't bear that a channel is closed while its driver reads or writes for Tcl, and callbacks may close theirs at any
//! time. So it is held for as long, and a channel that its script has closed counts as gone from then on. In other operations
//! what a callback closes is gone when the callback returns. In neither can a callback move the channel to another thread,
//! which Tcl allows only if there is one owner.

use std::cell::{Cell, RefCell};

use crate::tcl::channel::{Channel, Hold};

/// The layer of a TLS channel.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The channel; none before it is stacked and after Tcl has closed it.
    channel: Cell<Option<Channel>>,
    /// Keeps the channel while its driver reads or writes.
    hold: RefCell<Option<Hold>>,
    /// Whether a script has closed it in the middle of that. Tcl will soon.
    abandoned: Cell<bool>,
}

impl Layer {
    /// The channel, as long as scripts may use it.
    pub(super) fn get(&self) -> Option<Channel> {
        let orphaned = || self.hold.borrow().as_ref().is_some_and(Hold::is_orphaned);
        self.channel
            .get()
            .filter(|_| !self.abandoned.get() && !orphaned())
    }

    /// The channel, as long as Tcl has it.
    pub(super) fn open(&self) -> Option<Channel> {
        self.channel.get()
    }

    /// Notes that the channel is there, or that Tcl has closed it.
    pub(super) fn set(&self, channel: Option<Channel>) {
        self.channel.set(channel);
    }

    /// Keeps Tcl from closing the channel until the result is dropped.
    pub(super) fn hold(&self) -> Held<'_> {
        let first = self.hold.borrow().is_none();
        if let Some(channel) = self.channel.get()
            && first
        {
            self.hold.replace(Some(channel.hold()));
        }
        Held {
            layer: first.then_some(self),
        }
    }

    /// Runs a callback's script. If nothing holds the channel, it is kept for as long, and closed right afterwards if the
    /// script has closed it.
    pub(super) fn keep_during<R>(&self, script: impl FnOnce() -> R) -> R {
        let free = self.hold.borrow().is_none();
        match self.channel.get().filter(|_| free) {
            Some(channel) => channel.keep_during(script),
            None => script(),
        }
    }
}

/// Keeps a channel open.
#[must_use]
pub(super) struct Held<'a> {
    /// The layer, if this is what holds it: the first of several does.
    layer: Option<&'a Layer>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(layer) = self.layer
            && let Some(hold) = layer.hold.take()
        {
            layer
                .abandoned
                .set(layer.abandoned.get() || hold.is_orphaned());
        }
    }
}
