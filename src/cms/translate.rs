//! Streams that are read in translation: what base64, quoted-printable and canonical text have in common.
//!
//! Pure: std only.

use std::io::{self, Read};

/// A translation that is made piece by piece.
pub(crate) trait Translate {
    /// Appends the next piece, which may be empty, to `out`; false once there is no more.
    fn piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool>;
}

/// Reads a translation.
pub(crate) struct Translated<T> {
    /// What makes it.
    source: T,
    /// A piece of it.
    piece: Vec<u8>,
    /// How much of `piece` was handed out.
    taken: usize,
    /// Whether there is no other piece.
    ended: bool,
}

impl<T: Translate> Translated<T> {
    /// A reader of what `source` makes, in pieces of about this size.
    pub(crate) fn new(source: T, size: usize) -> Self {
        Self {
            source,
            piece: Vec::with_capacity(size),
            taken: 0,
            ended: false,
        }
    }
}

impl<T: Translate> Read for Translated<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() && !self.ended {
            self.piece.clear();
            self.taken = 0;
            self.ended = !self.source.piece(&mut self.piece)?;
        }
        let ready = &self.piece[self.taken..];
        let size = ready.len().min(buffer.len());
        buffer[..size].copy_from_slice(&ready[..size]);
        self.taken += size;
        Ok(size)
    }
}
