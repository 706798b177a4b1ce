//! Writes a message around its content.
//!
//! Pure: std only.

use std::io::{self, Write};

use super::{Skeleton, bad, header, tag};

/// The length of the segments of content that is written without knowing its length.
pub(super) const SEGMENT: usize = 32 << 10;

/// Writes a message around a content that arrives bit by bit.
pub(crate) struct Writer<W> {
    /// Where the message goes.
    out: W,
    /// The bytes of the content still to come where its length was told; else `None`.
    left: Option<u64>,
    /// A segment that isn't full yet; empty where the length was told.
    segment: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes everything before the content.
    pub(crate) fn new(mut out: W, skeleton: &Skeleton, length: Option<u64>) -> io::Result<Self> {
        match length {
            Some(length) => out.write_all(&skeleton.head(length))?,
            None => out.write_all(&skeleton.open_head())?,
        }
        Ok(Self {
            out,
            left: length,
            segment: Vec::new(),
        })
    }

    /// Writes everything behind the content; `skeleton` may be richer by then, in what stands behind the content.
    pub(crate) fn finish(mut self, skeleton: &Skeleton) -> io::Result<W> {
        match self.left {
            Some(0) => self.out.write_all(&skeleton.after)?,
            Some(_) => return Err(bad("the content became shorter while it was read")),
            None => {
                self.write_segment()?;
                self.out.write_all(&skeleton.open_tail())?;
            }
        }
        Ok(self.out)
    }

    /// Writes the segment that is waiting, if there is one.
    fn write_segment(&mut self) -> io::Result<()> {
        if !self.segment.is_empty() {
            let header = header(tag::OCTETS, self.segment.len() as u64);
            self.out.write_all(&header)?;
            self.out.write_all(&self.segment)?;
            self.segment.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| bad("the content became longer while it was read"))?;
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let size = bytes.len().min(SEGMENT - self.segment.len());
        self.segment.extend_from_slice(&bytes[..size]);
        if self.segment.len() == SEGMENT {
            self.write_segment()?;
        }
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
