//! The files of a CA folder: the one place of the authority that touches the file system.
//!
//! A CA folder needs locks, atomic renames and fsync, so it consists of native files, not of Tcl's virtual ones.
//! In unit tests every call is a place where a [`fault`] can strike, as a killed process or a full disk would.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use crate::error::{Error, Reason, Result};

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The device and the inode.
    pub(crate) place: (u64, u64),
    /// The length in bytes.
    pub(crate) len: u64,
    /// When the contents changed, in seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
    /// When the inode changed, which no program can set.
    pub(crate) changed: (i64, i64),
}

impl Stamp {
    /// The stamp in a file's metadata.
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            place: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// An open file, read and written at given places.
#[derive(Debug)]
pub(crate) struct File {
    /// The file.
    file: fs::File,
    /// Its name, for messages.
    path: PathBuf,
}

impl File {
    /// Opens a file for reading.
    #[expect(
        clippy::disallowed_methods,
        reason = "a CA folder consists of native files"
    )]
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fault::point()
            .and_then(|()| fs::File::open(path))
            .map(|file| Self::new(file, path))
            .map_err(|error| unreadable(path, &error))
    }

    /// Opens a file for reading and writing, and makes it if it isn't there.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        fault::point()
            .and_then(|()| options.open(path))
            .map(|file| Self::new(file, path))
            .map_err(|error| unwritable(path, &error))
    }

    /// Opens a file that is there for reading and writing.
    pub(crate) fn open_to_change(path: &Path) -> Result<Self> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        fault::point()
            .and_then(|()| options.open(path))
            .map(|file| Self::new(file, path))
            .map_err(|error| unwritable(path, &error))
    }

    /// Wraps an open file.
    fn new(file: fs::File, path: &Path) -> Self {
        let path = path.to_owned();
        Self { file, path }
    }

    /// Fills the buffer from `offset` on; gives how many bytes there were.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let place = offset + filled as u64;
            match self.file.read_at(&mut buffer[filled..], place) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path, &error)),
            }
        }
        Ok(filled)
    }

    /// Writes the bytes at `offset`.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        fault::write(bytes, |part| self.file.write_all_at(part, offset))
            .map_err(|error| unwritable(&self.path, &error))
    }

    /// Cuts the file off, or lengthens it with zeros.
    pub(crate) fn set_len(&self, len: u64) -> Result<()> {
        fault::point()
            .and_then(|()| self.file.set_len(len))
            .map_err(|error| unwritable(&self.path, &error))
    }

    /// Waits until the contents are on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        fault::point()
            .and_then(|()| self.file.sync_data())
            .map_err(|error| unwritable(&self.path, &error))
    }

    /// The state of the file.
    pub(crate) fn stamp(&self) -> Result<Stamp> {
        match self.file.metadata() {
            Ok(metadata) => Ok(Stamp::of(&metadata)),
            Err(error) => Err(unreadable(&self.path, &error)),
        }
    }

    /// Takes the exclusive lock, after all who have waited for it.
    pub(crate) fn lock(&self) -> Result<()> {
        let locked = self.file.lock();
        locked.map_err(|error| unwritable(&self.path, &error))
    }

    /// Takes the exclusive lock if nobody has it.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(unwritable(&self.path, &error)),
        }
    }
}

/// The contents of a file; `None` if there is no such file.
#[expect(
    clippy::disallowed_methods,
    reason = "a CA folder consists of native files"
)]
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fault::point().and_then(|()| fs::read(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// The state of a file; `None` if there is no such file.
pub(crate) fn stamp(path: &Path) -> Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// The file behind symbolic links, so that a change replaces the file and not a link to it.
pub(crate) fn resolve(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether this is a folder.
pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// The files of a folder, in the order of their names.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fault::point().and_then(|()| fs::read_dir(folder));
    let mut paths: Vec<PathBuf> = entries
        .map_err(|error| unreadable(folder, &error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    Ok(paths)
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fault::point()
        .and_then(|()| fs::create_dir_all(path))
        .map_err(|error| unwritable(path, &error))
}

/// The name with `suffix` behind it, as in `index.txt.old`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A file that is written and on the disk, but not yet under its name.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Where it will be.
    path: PathBuf,
    /// Where it is now; `None` once it has its name.
    waiting: Option<PathBuf>,
}

/// Writes a file beside its future place and waits until it is on the disk.
///
/// It gets the permissions of the file that it will replace. One that isn't moved to its place vanishes again.
pub(crate) fn stage(path: &Path, bytes: &[u8]) -> Result<Staged> {
    stage_with(path, |sink| sink.put(bytes))
}

/// The same without waiting: [`Staged::sync`] does that, or [`sync_files`] for many files at once.
pub(crate) fn stage_without_waiting(path: &Path, bytes: &[u8]) -> Result<Staged> {
    write_beside(path, false, |sink| sink.put(bytes))
}

/// The same for a file that is written piece by piece.
pub(crate) fn stage_with(
    path: &Path,
    write: impl FnOnce(&mut Sink<'_>) -> Result<()>,
) -> Result<Staged> {
    write_beside(path, true, write)
}

/// Writes a file beside its future place.
fn write_beside(
    path: &Path,
    wait: bool,
    write: impl FnOnce(&mut Sink<'_>) -> Result<()>,
) -> Result<Staged> {
    let waiting = beside(path, ".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let file = fault::point()
        .and_then(|()| options.open(&waiting))
        .map_err(|error| unwritable(path, &error))?;
    let staged = Staged {
        path: path.to_owned(),
        waiting: Some(waiting),
    };
    if let Ok(metadata) = fs::metadata(path) {
        file.set_permissions(metadata.permissions())
            .map_err(|error| unwritable(path, &error))?;
    }
    let mut sink = Sink {
        file: &file,
        path,
        pending: Vec::new(),
        offset: 0,
    };
    write(&mut sink)?;
    sink.flush()?;
    if wait {
        fault::point()
            .and_then(|()| file.sync_all())
            .map_err(|error| unwritable(path, &error))?;
    } else {
        begin_to_write(&file);
    }
    Ok(staged)
}

/// Has the file system write to the disk what it has of a file, so that who waits for that later waits less: that is what
/// Linux does when it hears that a file's pages aren't needed. Others begin when they are waited for.
fn begin_to_write(file: &fs::File) {
    #[cfg(target_os = "linux")]
    // It is no more than advice: who waits learns whether the file can be written.
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).ok();
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// Where a staged file's bytes go.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    /// The file.
    file: &'a fs::File,
    /// Its future name, for messages.
    path: &'a Path,
    /// What isn't written yet.
    pending: Vec<u8>,
    /// Where it will be written.
    offset: u64,
}

impl Sink<'_> {
    /// Adds bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        match self.pending.len() > 1 << 16 {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes what is pending.
    fn flush(&mut self) -> Result<()> {
        fault::write(&self.pending, |part| {
            self.file.write_all_at(part, self.offset)
        })
        .map_err(|error| unwritable(self.path, &error))?;
        self.offset += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Staged {
    /// Waits until the file is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        match &self.waiting {
            Some(waiting) => fault::point()
                .and_then(|()| fs::OpenOptions::new().write(true).open(waiting))
                .and_then(|file| file.sync_all())
                .map_err(|error| unwritable(&self.path, &error)),
            None => Ok(()),
        }
    }

    /// Moves the file to its place; with `keep_old` the one that was there stays as `NAME.old`.
    pub(crate) fn finish(mut self, keep_old: bool) -> Result<()> {
        if keep_old {
            self.keep_old()?;
        }
        if let Some(waiting) = &self.waiting {
            fault::point()
                .and_then(|()| fs::rename(waiting, &self.path))
                .map_err(|error| unwritable(&self.path, &error))?;
        }
        self.waiting = None;
        Ok(())
    }

    /// Gives the present file its second name, so that at no moment there is none under the first.
    fn keep_old(&self) -> Result<()> {
        let old = beside(&self.path, ".old");
        let done = fault::point().and_then(|()| match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fault::point(),
        });
        // Where the file system has no hard links, a copy is as good.
        let done = done.and_then(|()| match fs::hard_link(&self.path, &old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(_) => fs::copy(&self.path, &old).map(|_| ()),
            Ok(()) => Ok(()),
        });
        done.map_err(|error| unwritable(&old, &error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting
            && fault::point().is_ok()
        {
            // If this fails the file stays as rubbish, which the next change of the same file overwrites.
            fs::remove_file(waiting).ok();
        }
    }
}

/// Whether this is a folder without anything in it.
pub(crate) fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// The name from the root on, of what need not be there yet.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Makes a folder that only its owner can enter.
pub(crate) fn make_private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    fault::point()
        .and_then(|()| builder.create(path))
        .map_err(|error| unwritable(path, &error))
}

/// Makes a file that only its owner can read, and waits until it is on the disk.
pub(crate) fn make_private_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    fault::point()
        .and_then(|()| options.open(path))
        .and_then(|file| {
            fault::write(bytes, |part| file.write_all_at(part, 0))?;
            file.sync_all()
        })
        .map_err(|error| unwritable(path, &error))
}

/// Gives a folder its name, in the stead of an empty one if there is one.
pub(crate) fn rename_folder(from: &Path, to: &Path) -> Result<()> {
    fault::point()
        .and_then(|()| fs::rename(from, to))
        .map_err(|error| unwritable(to, &error))?;
    sync_folder(&folder_of(to))
}

/// Removes a file that is of no use to anybody; if that fails it stays.
pub(crate) fn remove(path: &Path) {
    if fault::point().is_ok() {
        fs::remove_file(path).ok();
    }
}

/// Removes a folder that may not be there, with everything in it.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fault::point().and_then(|()| fs::remove_dir_all(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Removes a file that needn't be there.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fault::point().and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

/// Waits until the names in a folder are on the disk.
#[expect(
    clippy::disallowed_methods,
    reason = "a CA folder consists of native files"
)]
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    fault::point()
        .and_then(|()| fs::File::open(folder))
        .and_then(|file| file.sync_all())
        .map_err(|error| unwritable(folder, &error))
}

/// Waits until these files are on the disk.
///
/// Several threads wait: the disk has many files on the way at once, and the file system writes down together what
/// belongs to several of them. (`syncfs` would wait for everybody else's files as well.)
pub(crate) fn sync_files(paths: &[PathBuf]) -> Result<()> {
    /// How many wait at once.
    const WAITING: usize = 16;
    let wait = |path: &PathBuf| {
        let file = fs::OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.sync_data())
            .map_err(|error| unwritable(path, &error))
    };
    let Some(first) = paths.first() else {
        return Ok(());
    };
    fault::point().map_err(|error| unwritable(first, &error))?;
    let outcomes: Vec<Result<()>> = thread::scope(|scope| {
        let waiting: Vec<_> = paths
            .chunks(paths.len().div_ceil(WAITING).max(1))
            .map(|part| scope.spawn(move || part.iter().try_for_each(wait)))
            .collect();
        let panicked = |_| Error::failed(Reason::Panic, "a thread of the authority panicked");
        let ended = waiting.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|outcome| outcome.map_err(panicked).flatten())
            .collect()
    });
    outcomes.into_iter().collect()
}

/// The error for a file that can't be read.
fn unreadable(path: &Path, error: &io::Error) -> Error {
    refused("read", path, error)
}

/// The error for a file that can't be written.
fn unwritable(path: &Path, error: &io::Error) -> Error {
    refused("write", path, error)
}

/// The error for a refusal of the operating system.
fn refused(doing: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display().to_string();
    // The standard library's text ends with the number of the error.
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    Error::failed_with(
        Reason::CaDatabase,
        [&path],
        format!("can't {doing} \"{path}\": {text}"),
    )
}

/// Where a fault strikes, in unit tests; elsewhere nowhere.
#[cfg(not(test))]
mod fault {
    use std::io;

    /// A call of the file system.
    #[expect(clippy::unnecessary_wraps, reason = "in unit tests it can fail")]
    pub(super) const fn point() -> io::Result<()> {
        Ok(())
    }

    /// A write.
    pub(super) fn write(
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        write(bytes)
    }
}

/// The switch that lets a fault strike at a chosen call: the process dies there, or the disk is full.
#[cfg(test)]
pub(crate) mod fault {
    use std::cell::Cell;
    use std::io;

    /// What strikes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Kind {
        /// This call and all after it fail: as if the process had been killed.
        Death,
        /// This call alone fails: as if the disk had been full for a moment.
        NoSpace,
    }

    thread_local! {
        /// The calls left before the fault, and its kind.
        static ARMED: Cell<Option<(u64, Kind)>> = const { Cell::new(None) };
        /// Whether the fault has struck.
        static STRUCK: Cell<bool> = const { Cell::new(false) };
    }

    /// Lets the fault strike after `calls` more calls.
    pub(crate) fn arm(calls: u64, kind: Kind) {
        ARMED.set(Some((calls, kind)));
        STRUCK.set(false);
    }

    /// Ends the fault; tells whether it had struck.
    pub(crate) fn disarm() -> bool {
        ARMED.set(None);
        STRUCK.replace(false)
    }

    /// A call of the file system.
    pub(super) fn point() -> io::Result<()> {
        match ARMED.get() {
            None => Ok(()),
            Some((0, kind)) => {
                STRUCK.set(true);
                if kind == Kind::NoSpace {
                    ARMED.set(None);
                }
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            Some((calls, kind)) => {
                ARMED.set(Some((calls - 1, kind)));
                Ok(())
            }
        }
    }

    /// A write, which a fault tears in the middle.
    pub(super) fn write(
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let dead = STRUCK.get();
        match point() {
            Ok(()) => write(bytes),
            Err(error) if dead => Err(error),
            Err(error) => write(&bytes[..bytes.len() / 2]).and(Err(error)),
        }
    }
}
