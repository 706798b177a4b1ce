//! Which events to ask the channel below for, and when a timer must stand in for them: a pure decision.

use crate::tcl::channel::Mask;

use super::engine::{Phase, Waiting};

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// The events that the channel above wants.
    pub(super) wanted: Mask,
    /// How far the connection is.
    pub(super) phase: Phase,
    /// Whether bytes lie ready above the channel below, decrypted or not: no event tells of them.
    pub(super) bytes_ready: bool,
    /// Whether the peer has said that it sends nothing more.
    pub(super) peer_closed: bool,
    /// Whether a read can only go on once something was written.
    pub(super) read_waits_to_write: bool,
    /// Whether a write can only go on once something was read.
    pub(super) write_waits_to_read: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interest {
    /// The events to ask the channel below for.
    pub(super) below: Mask,
    /// Whether a timer must bring the event that nothing below will bring.
    pub(super) timer: bool,
}

impl Situation {
    /// The decision.
    pub(super) fn interest(self) -> Interest {
        if self.wanted.is_none() {
            return Interest {
                below: Mask::NONE,
                timer: false,
            };
        }
        let reading = self.wanted.has(Mask::READABLE);
        let writing = self.wanted.has(Mask::WRITABLE);
        match self.phase {
            Phase::Handshake(Waiting::Read) => Interest {
                below: Mask::READABLE,
                timer: self.bytes_ready,
            },
            Phase::Handshake(Waiting::Write) => Interest {
                below: Mask::WRITABLE,
                timer: false,
            },
            // Whoever put the decision off goes on with the handshake when it is made.
            Phase::Handshake(Waiting::Decision) => Interest {
                below: Mask::NONE,
                timer: false,
            },
            // The script is to see the failure, whatever it waits for.
            Phase::Failed => Interest {
                below: Mask::NONE,
                timer: true,
            },
            Phase::Open => {
                let read_on = reading && !self.read_waits_to_write && !self.peer_closed;
                let write_on = writing && !self.write_waits_to_read;
                let below = Mask::NONE
                    .with_if(
                        Mask::READABLE,
                        read_on || (writing && self.write_waits_to_read),
                    )
                    .with_if(
                        Mask::WRITABLE,
                        write_on || (reading && self.read_waits_to_write),
                    );
                Interest {
                    below,
                    timer: reading && (self.bytes_ready || self.peer_closed),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Situation = Situation {
        wanted: Mask::READABLE,
        phase: Phase::Open,
        bytes_ready: false,
        peer_closed: false,
        read_waits_to_write: false,
        write_waits_to_read: false,
    };

    fn check(situation: Situation, below: Mask, timer: bool) {
        assert_eq!(
            situation.interest(),
            Interest { below, timer },
            "{situation:?}"
        );
    }

    #[test]
    fn who_wants_nothing_costs_nothing() {
        check(
            Situation {
                wanted: Mask::NONE,
                bytes_ready: true,
                ..QUIET
            },
            Mask::NONE,
            false,
        );
        check(
            Situation {
                wanted: Mask::NONE,
                phase: Phase::Failed,
                ..QUIET
            },
            Mask::NONE,
            false,
        );
    }

    #[test]
    fn an_open_connection_waits_for_what_the_script_waits_for() {
        check(QUIET, Mask::READABLE, false);
        check(
            Situation {
                wanted: Mask::WRITABLE,
                ..QUIET
            },
            Mask::WRITABLE,
            false,
        );
        check(
            Situation {
                wanted: Mask::BOTH,
                ..QUIET
            },
            Mask::BOTH,
            false,
        );
    }

    #[test]
    fn bytes_that_no_event_tells_of_need_the_timer() {
        check(
            Situation {
                bytes_ready: true,
                ..QUIET
            },
            Mask::READABLE,
            true,
        );
        check(
            Situation {
                bytes_ready: true,
                wanted: Mask::WRITABLE,
                ..QUIET
            },
            Mask::WRITABLE,
            false,
        );
    }

    #[test]
    fn a_handshake_waits_for_what_tls_waits_for() {
        let reading = Phase::Handshake(Waiting::Read);
        check(
            Situation {
                wanted: Mask::WRITABLE,
                phase: reading,
                ..QUIET
            },
            Mask::READABLE,
            false,
        );
        let writing = Phase::Handshake(Waiting::Write);
        check(
            Situation {
                wanted: Mask::READABLE,
                phase: writing,
                ..QUIET
            },
            Mask::WRITABLE,
            false,
        );
        let deciding = Phase::Handshake(Waiting::Decision);
        check(
            Situation {
                wanted: Mask::BOTH,
                phase: deciding,
                ..QUIET
            },
            Mask::NONE,
            false,
        );
    }

    #[test]
    fn a_read_that_waits_to_write_watches_for_room_and_a_write_that_waits_to_read_for_data() {
        check(
            Situation {
                read_waits_to_write: true,
                ..QUIET
            },
            Mask::WRITABLE,
            false,
        );
        check(
            Situation {
                wanted: Mask::WRITABLE,
                write_waits_to_read: true,
                ..QUIET
            },
            Mask::READABLE,
            false,
        );
    }

    #[test]
    fn a_failure_and_the_end_are_told_without_the_channel_below() {
        check(
            Situation {
                phase: Phase::Failed,
                ..QUIET
            },
            Mask::NONE,
            true,
        );
        check(
            Situation {
                peer_closed: true,
                ..QUIET
            },
            Mask::NONE,
            true,
        );
    }
}
