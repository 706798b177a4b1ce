//! The lock of a CA folder: one command at a time works on it.
//!
//! The operating system holds it for an open file, so that it ends with the process, however that ends. The file is
//! the folder of the database, so that nothing has to be made for it. Where folders can't be locked (NFS), it is a file
//! beside the database, which stays where it is: removing it would let two processes lock two files of one name.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Reason, Result};

use super::disk::{self, File};
use super::watch::Watch;

/// The lock, held while this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    /// The locked file.
    _file: File,
}

impl Lock {
    /// Waits for the lock of the database at `path`, not longer than `patience`.
    pub(crate) fn wait(path: &Path, patience: Duration, watch: &mut dyn Watch) -> Result<Self> {
        let (file, locked) = match File::open(&disk::folder_of(path)) {
            Ok(folder) => match folder.try_lock() {
                Ok(locked) => (folder, locked),
                Err(_) => (File::open_or_make(&disk::beside(path, ".lock"))?, false),
            },
            Err(error) => return Err(error),
        };
        if locked {
            return Ok(Self { _file: file });
        }
        let begin = Instant::now();
        let mut pause = Duration::from_micros(100);
        while !file.try_lock()? {
            if begin.elapsed() >= patience {
                let path = path.display().to_string();
                return Err(Error::failed_with(
                    Reason::CaDatabase,
                    [&path, "locked"],
                    format!(
                        "another command has held the lock of \"{path}\" for {} seconds",
                        patience.as_secs_f64()
                    ),
                ));
            }
            watch.waits()?;
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(2));
        }
        Ok(Self { _file: file })
    }
}
