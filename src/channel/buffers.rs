//! The size of Tcl's buffers: small while little is said, a record's size once much is.
//!
//! Tcl makes buffers of 4 KiB, which would make records of a quarter of their size, each with the work of a whole one.
//! A connection that says little keeps the small ones, since Tcl holds on to up to three of them. A size that the
//! script has chosen stays.

use std::cell::Cell;

use crate::tcl::channel::Channel;

/// The size of the buffers that Tcl makes unasked.
const TCLS_SIZE: usize = 4096;

/// As much as fits into a record.
const RECORD: usize = 16 * 1024;

/// Whether the buffers are to grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has filled a buffer yet.
    #[default]
    Small,
    /// A whole buffer of Tcl's size went through.
    Filled,
    /// It was dealt with.
    Decided,
}

/// How far a channel is with that. Each channel's buffers grow once, so that a script can have small ones again.
#[derive(Debug, Default)]
pub(super) struct Growth(Cell<State>);

impl Growth {
    /// So many bytes went through at once.
    pub(super) fn saw(&self, count: usize) {
        if count >= TCLS_SIZE && self.0.get() == State::Small {
            self.0.set(State::Filled);
        }
    }

    /// Lets the buffers grow, if it is time for that.
    pub(super) fn carry_out(&self, channel: Channel) {
        if self.0.get() == State::Filled {
            self.0.set(State::Decided);
            if channel.buffer_size() == TCLS_SIZE {
                channel.set_buffer_size(RECORD);
            }
        }
    }
}
