//! Files on their way: written whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::tcl::files;

/// What the permissions of a new file are, but for what the process withholds.
const USUAL: u32 = 0o666;

/// A file on its way.
pub(super) enum Staged {
    /// A file beside the one it is going to be.
    Beside(NamedTempFile, PathBuf),
    /// A temporary file, to be copied over something that can't be replaced by renaming.
    Apart(File, PathBuf),
    /// A temporary file, to be written into a virtual file system.
    Virtual(File, String),
}

impl Staged {
    /// Begins a file with these permissions; without them, a new one gets the usual ones, and one that is there keeps
    /// its own.
    pub(super) fn new(name: &str, mode: Option<u32>) -> io::Result<Self> {
        let Ok(path) = files::native(name) else {
            return Ok(Self::Virtual(tempfile::tempfile()?, name.to_owned()));
        };
        // A link leads to the file that is to be replaced. It gets its name when the working directory may be another.
        let path = path
            .canonicalize()
            .or_else(|_| std::path::absolute(&path))
            .unwrap_or(path);
        let facts = path.metadata().ok();
        if let Some(facts) = &facts
            && !facts.is_file()
        {
            if facts.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            return Ok(Self::Apart(tempfile::tempfile()?, path));
        }
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let permissions = match (mode, facts) {
            (None, Some(facts)) => facts.permissions(),
            (mode, _) => Permissions::from_mode(mode.unwrap_or(USUAL)),
        };
        let made = tempfile::Builder::new()
            .prefix(".tls-")
            .permissions(permissions)
            .tempfile_in(folder);
        match made {
            Ok(file) => {
                if path.exists() {
                    // A file that its owner made read-only isn't replaced behind his back.
                    OpenOptions::new().write(true).open(&path)?;
                }
                Ok(Self::Beside(file, path))
            }
            Err(_) if path.exists() => {
                OpenOptions::new().write(true).open(&path)?;
                Ok(Self::Apart(tempfile::tempfile()?, path))
            }
            Err(error) => Err(error),
        }
    }

    /// Where the content waits.
    fn file(&mut self) -> &mut File {
        match self {
            Self::Beside(file, _) => file.as_file_mut(),
            Self::Apart(file, _) | Self::Virtual(file, _) => file,
        }
    }

    /// Waits until the content is on the disk, if that is where it is going to stay.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file, _) => file.as_file().sync_all(),
            Self::Apart(..) | Self::Virtual(..) => Ok(()),
        }
    }

    /// Gives the file its name.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Beside(file, path) => file.persist(path).map(|_| ()).map_err(|error| error.error),
            Self::Apart(file, path) => {
                let mut target = OpenOptions::new().write(true).truncate(true).open(path)?;
                copy(file, &mut target)
            }
            Self::Virtual(file, name) => {
                let mut target = files::create(&name).map_err(io::Error::other)?;
                copy(file, &mut target)?;
                target.close()
            }
        }
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(name: &str) -> io::Result<()> {
    let path = files::native(name).map_err(|error| io::Error::other(error.message()))?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// Copies a file from its start.
pub(super) fn copy(mut file: File, out: &mut dyn Write) -> io::Result<()> {
    file.rewind()?;
    io::copy(&mut file, out).map(|_| ())
}

/// The error of the operating system, in Tcl's words, for something that was tried with a file.
pub(super) fn failure(doing: &str, name: &str, error: &io::Error) -> Error {
    files::os_error(errno(error), &format!("couldn't {doing} \"{name}\""))
}

/// The errno value of a failure; one that lost it on the way gets it by its kind.
pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or_else(|| match error.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::NotADirectory => libc::ENOTDIR,
        io::ErrorKind::IsADirectory => libc::EISDIR,
        io::ErrorKind::ReadOnlyFilesystem => libc::EROFS,
        io::ErrorKind::StorageFull => libc::ENOSPC,
        _ => libc::EIO,
    })
}
