//! A stream that remembers why it failed last. OpenSSL doesn't: from 3.2 on it puts an entry of its own into the error
//! queue when a write fails, and the openssl crate then tells that one alone.

use std::io::{self, ErrorKind, Read, Write};

use crate::error::Error;

use super::io_failure;

/// The stream.
#[derive(Debug)]
pub(super) struct Stream<S> {
    /// The stream itself.
    inner: S,
    /// Why the last read or write failed.
    failure: Option<Error>,
}

impl<S> Stream<S> {
    /// A stream that hasn't failed yet.
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            failure: None,
        }
    }

    /// Why the last read or write failed, if it did.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Remembers how a read or write ended.
    fn note<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        self.failure = match &outcome {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Some(stream_failure(error)),
            _ => None,
        };
        outcome
    }
}

impl<S: Read> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.inner.read(buffer);
        self.note(outcome)
    }
}

impl<S: Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.inner.write(bytes);
        self.note(outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The error of a stream: its own words, or the operating system's.
pub(crate) fn stream_failure(error: &io::Error) -> Error {
    let own = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match own {
        Some(error) => error.clone(),
        None => io_failure(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}
