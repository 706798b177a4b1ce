//! The lock of a CA folder: one command at a time works on it.
//!
//! The operating system holds it for an open file, so that it ends with the process, however that ends. The file is
//! the folder of the database, so that nothing has to be made for it. Where folders can't be locked (NFS), it is a file
//! beside the database, which stays where it is: removing it would let two processes lock two files of one name.
//!
//! Who waits does so in the operating system's queue, and has the lock as soon as the one before gives it back.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Reason, Result};

use super::disk::{self, File};
use super::watch::{Nobody, Watch};

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
        match queue(file, patience, watch)? {
            Some(file) => Ok(Self { _file: file }),
            None => {
                let path = path.display().to_string();
                Err(Error::failed_with(
                    Reason::CaDatabase,
                    [&path, "locked"],
                    format!(
                        "another command has held the lock of \"{path}\" for {} seconds",
                        patience.as_secs_f64()
                    ),
                ))
            }
        }
    }

    /// Takes the turn among those who want to change the database of somebody else's kind at `path`, as soon as those
    /// before have had theirs, but waits for it not longer than `patience`.
    ///
    /// Such a database has locks of its own, so that this is no more than courtesy: where it can't be had, `None`.
    pub(crate) fn turn(path: &Path, patience: Duration) -> Option<Self> {
        let path = disk::beside(path, "-turn");
        // Another user's file may be read and not be written, which is enough.
        let file = File::open(&path)
            .or_else(|_| File::open_or_make(&path))
            .ok()?;
        let file = match file.try_lock().ok()? {
            true => file,
            false => queue(file, patience, &mut Nobody).ok()??,
        };
        Some(Self { _file: file })
    }
}

/// Waits in the operating system's queue for a file's lock; gives the file once it is locked, nothing if the patience
/// was too short.
///
/// The queue has no time limit, so that a thread of its own waits in it. One that nobody waits for any more gives the
/// lock back when it gets it.
fn queue(file: File, patience: Duration, watch: &mut dyn Watch) -> Result<Option<File>> {
    /// How often whoever watches is asked.
    const ASKED: Duration = Duration::from_millis(50);
    let begin = Instant::now();
    let (locked, lock) = mpsc::channel();
    let wait = move || {
        let outcome = file.lock().map(|()| file);
        // Who isn't there any more doesn't get it: the file is closed.
        let _ = locked.send(outcome);
    };
    thread::Builder::new().spawn(wait).map_err(|error| {
        Error::failed(
            Reason::CaDatabase,
            format!("can't wait for a lock: {error}"),
        )
    })?;
    loop {
        let left = patience.saturating_sub(begin.elapsed());
        match lock.recv_timeout(left.min(ASKED)) {
            Ok(outcome) => return outcome.map(Some),
            Err(_) if left.is_zero() => return Ok(None),
            Err(_) => watch.waits()?,
        }
    }
}
