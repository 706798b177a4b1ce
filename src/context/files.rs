//! What the room needs to know of files: their content, and a cheap sign that it can't have changed.
//!
//! Pure. The files themselves are read above, through Tcl, so that virtual file systems work.

use std::fs::Metadata;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::ossl::secret::Secret;

/// How the caller reads files. Paths are those that the script wrote.
pub(crate) trait Files {
    /// The stamp of a native file or folder; `None` for what is missing or lies in a virtual file system, which is
    /// therefore read each time.
    fn stamp(&self, path: &str) -> Option<Stamp>;

    /// The whole content; an [`Error::Io`](crate::error::Error::Io) if it can't be read.
    fn read(&self, path: &str) -> Result<Secret>;

    /// The path that the operating system knows, for the OpenSSL functions that open folders and stores themselves;
    /// an error if there is none.
    fn native(&self, path: &str) -> Result<PathBuf>;
}

/// How long after its last change a file may change again without a new stamp: clocks of file systems tick as
/// slowly as every two seconds.
const RACY: Duration = Duration::from_secs(2);

/// What a file system says about a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    /// The device that holds it.
    pub(crate) device: u64,
    /// Its number on that device.
    pub(crate) inode: u64,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When its content was last changed, as the owner may have set it: time since the epoch.
    pub(crate) modified: Duration,
    /// When the file system last changed anything about it: time since the epoch.
    pub(crate) changed: Duration,
}

impl Stamp {
    /// The stamp in a file's metadata.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        let number = |field: i64| u64::try_from(field).unwrap_or_default();
        let time = |seconds, nanoseconds| {
            Duration::from_secs(number(seconds)) + Duration::from_nanos(number(nanoseconds))
        };
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file was written so shortly before `now`, when this stamp was taken, that it may be written once
    /// more and have the same stamp. As in git's index, such a stamp proves nothing.
    pub(crate) fn racy(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.modified.max(self.changed).saturating_add(RACY) > now
    }

    /// The stamp as bytes, for a fingerprint.
    pub(super) fn bytes(&self) -> [u8; 56] {
        let mut bytes = [0; 56];
        let (fixed, times) = bytes.split_at_mut(24);
        for (place, value) in fixed
            .chunks_exact_mut(8)
            .zip([self.device, self.inode, self.size])
        {
            place.copy_from_slice(&value.to_le_bytes());
        }
        for (place, value) in times
            .chunks_exact_mut(16)
            .zip([self.modified, self.changed])
        {
            place.copy_from_slice(&value.as_nanos().to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_proves_nothing_until_two_seconds_have_passed() {
        let stamp = Stamp {
            device: 1,
            inode: 2,
            size: 3,
            modified: Duration::from_secs(100),
            changed: Duration::from_secs(1000),
        };
        assert!(stamp.racy(UNIX_EPOCH + Duration::from_secs(1001)));
        assert!(!stamp.racy(UNIX_EPOCH + Duration::from_secs(1002)));
        assert!(stamp.racy(UNIX_EPOCH));
    }
}
