//! The errors of a TLS channel, with what the engine doesn't know of them.

use crate::error::{Error, Reason};
use crate::tcl::files;

use super::TlsChannel;

impl TlsChannel {
    /// The error for an operation that a callback of another one has started.
    pub(super) fn busy(&self) -> Error {
        let name = self.callbacks.name();
        Error::failed(
            Reason::ChannelBusy,
            format!("channel \"{name}\" is busy with an operation that a callback interrupted"),
        )
    }

    /// An error with what the engine doesn't know: the operating system's reasons in Tcl's words, why connecting
    /// failed, and where in the chain a certificate was refused.
    pub(super) fn worded(&self, error: Error) -> Error {
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

/// The error of an operation in whose middle a callback has closed the channel.
pub(super) fn closed() -> Error {
    Error::failed(
        Reason::ChannelClosed,
        "the channel was closed by its callback",
    )
}

/// The error of a handshake that took too long.
pub(super) fn timed_out() -> Error {
    Error::failed(Reason::HandshakeTimeout, "handshake failed: timeout")
}

/// The errno value of an I/O error.
pub(super) fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Whether an error is a panic that was caught.
pub(super) fn is_panic(error: &Error) -> bool {
    matches!(
        error,
        Error::Failed {
            reason: Reason::Panic,
            ..
        }
    )
}

/// Whether an error only says that another operation has the channel.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(
        error,
        Error::Failed {
            reason: Reason::ChannelBusy,
            ..
        }
    )
}
