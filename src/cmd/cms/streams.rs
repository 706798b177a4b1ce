//! Where `tls::cms` reads and writes: files, channels, memory. Outputs appear whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::cms::source::{FileStream, Stream};
use crate::cms::{unreadable, unwritable};
use crate::error::{Error, Reason, Result};
use crate::tcl::bytewise::Bytewise;
use crate::tcl::channel::Channel;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};

/// How many bytes pass between two calls of a progress script.
const STEP: u64 = 1 << 20;

/// Reads a channel.
struct ChannelStream(Bytewise);

impl Read for ChannelStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.channel.read(buffer)
    }
}

impl Stream for ChannelStream {
    fn size(&self) -> Option<u64> {
        None
    }

    fn seek_to(&mut self, _: u64) -> io::Result<()> {
        Err(io::Error::other("a channel can't start again"))
    }
}

/// Tells a script how far reading has come.
struct Progress {
    /// What is read.
    inner: Box<dyn Stream>,
    /// The script.
    script: Script,
    /// How many bytes were read, whichever way they were gone over.
    done: u64,
    /// At how many the script is called next.
    next: u64,
}

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        self.done += size as u64;
        let total = self.inner.size();
        if self.done >= self.next || size == 0 || total == Some(self.done) {
            self.next = self.done + STEP;
            let count = |count: u64| Obj::int(i64::try_from(count).unwrap_or(i64::MAX));
            let total = total.map_or_else(Obj::empty, count);
            if let Some(outcome) = self.script.call(&[count(self.done), total]) {
                outcome.map_err(io::Error::other)?;
            }
        }
        Ok(size)
    }
}

impl Stream for Progress {
    fn size(&self) -> Option<u64> {
        self.inner.size()
    }

    fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        self.done = offset;
        self.inner.seek_to(offset)
    }
}

/// A stream that tells a script how far it has come.
pub(super) fn with_progress(inner: Box<dyn Stream>, script: Option<Script>) -> Box<dyn Stream> {
    match script {
        Some(script) => Box::new(Progress {
            inner,
            script,
            done: 0,
            next: STEP,
        }),
        None => inner,
    }
}

/// Refuses files in a safe interpreter.
pub(super) fn check_access(interp: Interp<'_>, option: &str, name: &str) -> Result<()> {
    match interp.is_safe() {
        true => Err(Error::failed_with(
            Reason::CmsRead,
            [option, name],
            format!("couldn't open \"{name}\": a safe interpreter has no files"),
        )),
        false => Ok(()),
    }
}

/// The content of a file for an option, or the PEM text that stands in its place.
pub(super) fn load(interp: Interp<'_>, option: &str, value: &str) -> Result<Vec<u8>> {
    if value.starts_with("-----BEGIN ") {
        return Ok(value.as_bytes().to_vec());
    }
    check_access(interp, option, value)?;
    files::read(value)
        .map_err(|error| Error::failed_with(Reason::CmsRead, [option, value], error.message()))
}

/// Opens a file for reading.
pub(super) fn open(interp: Interp<'_>, option: &str, name: &str) -> Result<Box<dyn Stream>> {
    check_access(interp, option, name)?;
    let Ok(path) = files::native(name) else {
        return Ok(Box::new(Cursor::new(load(interp, option, name)?)));
    };
    let opened = OpenOptions::new().read(true).open(path);
    match opened.and_then(FileStream::new) {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Error::failed_with(
            Reason::CmsRead,
            [option, name],
            files::os_error(errno(&error), &format!("couldn't open \"{name}\"")).message(),
        )),
    }
}

/// The errno value of a failure; one that lost it on the way gets it by its kind.
fn errno(error: &io::Error) -> i32 {
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

/// Opens a channel for reading.
pub(super) fn open_channel(
    interp: Interp<'_>,
    option: &str,
    name: &Obj,
) -> Result<Box<dyn Stream>> {
    let channel = find(interp, option, name, crate::tcl::channel::Mask::READABLE)?;
    Ok(Box::new(ChannelStream(Bytewise::new(channel))))
}

/// A channel that is open in a direction.
fn find(
    interp: Interp<'_>,
    option: &str,
    name: &Obj,
    direction: crate::tcl::channel::Mask,
) -> Result<Channel> {
    let text = name.as_text();
    match Channel::find(interp, name) {
        Some(channel) if channel.mode().has(direction) => Ok(channel),
        Some(_) => Err(Error::failed_with(
            Reason::CmsOption,
            [option, &*text],
            format!("channel \"{text}\" isn't open in the direction that {option} needs"),
        )),
        None => Err(Error::failed_with(
            Reason::CmsOption,
            [option, &*text],
            format!("can not find channel named \"{text}\""),
        )),
    }
}

/// A stream that can be read twice: the stream itself, or a temporary copy of it.
pub(super) fn repeatable(mut stream: Box<dyn Stream>) -> Result<Box<dyn Stream>> {
    match stream.size() {
        Some(_) => Ok(stream),
        None => Ok(Box::new(
            FileStream::spool(&mut stream).map_err(unreadable)?,
        )),
    }
}

/// An output file on its way.
enum Place {
    /// A file beside the one it is going to be.
    Beside(NamedTempFile, PathBuf),
    /// A temporary file, to be copied over something that can't be replaced by renaming.
    Apart(File, PathBuf),
    /// A temporary file, to be written into a virtual file system.
    Virtual(File, String),
}

/// Where a result goes.
enum Goal {
    /// To the script.
    Memory(Vec<u8>),
    /// Into a file.
    File(Place),
    /// Into a channel, at once.
    Early(Bytewise),
    /// Into a channel, once all is right.
    Late(File, Bytewise),
}

/// Collects a result, and lets it out when all is right.
pub(super) struct Sink(Goal);

impl Sink {
    /// For the script.
    pub(super) fn memory() -> Self {
        Self(Goal::Memory(Vec::new()))
    }

    /// For a file.
    pub(super) fn file(interp: Interp<'_>, option: &str, name: &str) -> Result<Self> {
        check_access(interp, option, name)?;
        let Ok(path) = files::native(name) else {
            let file = tempfile::tempfile().map_err(unwritable)?;
            return Ok(Self(Goal::File(Place::Virtual(file, name.to_owned()))));
        };
        let place = place(&path).map_err(|error| {
            let doing = format!("couldn't open \"{name}\"");
            let text = files::os_error(errno(&error), &doing);
            Error::failed_with(Reason::CmsWrite, [option, name], text.message())
        })?;
        Ok(Self(Goal::File(place)))
    }

    /// For a channel; `early` lets everything out as it comes.
    pub(super) fn channel(
        interp: Interp<'_>,
        option: &str,
        name: &Obj,
        early: bool,
    ) -> Result<Self> {
        let channel = find(interp, option, name, crate::tcl::channel::Mask::WRITABLE)?;
        let channel = Bytewise::new(channel);
        channel.channel.flush().map_err(unwritable)?;
        Ok(Self(match early {
            true => Goal::Early(channel),
            false => Goal::Late(tempfile::tempfile().map_err(unwritable)?, channel),
        }))
    }

    /// Lets the result out; what is for the script comes back.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self.0 {
            Goal::Memory(bytes) => return Ok(bytes),
            Goal::File(Place::Beside(file, path)) => {
                file.persist(path)
                    .map_err(|error| unwritable(error.error))?;
            }
            Goal::File(Place::Apart(file, path)) => {
                let mut target = OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(path)
                    .map_err(unwritable)?;
                copy(file, &mut target)?;
            }
            Goal::File(Place::Virtual(file, name)) => {
                let mut target = files::create(&name)?;
                copy(file, &mut target)?;
                target.close().map_err(unwritable)?;
            }
            Goal::Early(_) => {}
            Goal::Late(file, channel) => copy(file, &mut Raw(channel.channel))?,
        }
        Ok(Vec::new())
    }
}

/// Copies a temporary file from its start.
fn copy(file: File, out: &mut dyn Write) -> Result<()> {
    let mut source = FileStream::new(file).map_err(unwritable)?;
    io::copy(&mut source, out).map_err(unwritable)?;
    Ok(())
}

/// Writes to a channel.
struct Raw(Channel);

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_raw(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Goal::Memory(memory) => memory.write(bytes),
            Goal::File(Place::Beside(file, _)) => file.write(bytes),
            Goal::File(Place::Apart(file, _) | Place::Virtual(file, _)) | Goal::Late(file, _) => {
                file.write(bytes)
            }
            Goal::Early(channel) => Raw(channel.channel).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the bytes for a file wait.
fn place(path: &Path) -> io::Result<Place> {
    // A link leads to the file that is to be replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let facts = path.metadata().ok();
    if let Some(facts) = &facts
        && !facts.is_file()
    {
        if facts.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        return Ok(Place::Apart(tempfile::tempfile()?, path));
    }
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let permissions = facts.map_or_else(
        || std::fs::Permissions::from_mode(0o666),
        |facts| facts.permissions(),
    );
    let made = tempfile::Builder::new()
        .prefix(".tls-cms-")
        .permissions(permissions)
        .tempfile_in(folder);
    match made {
        Ok(file) => {
            if path.exists() {
                // A file that its owner made read-only isn't replaced behind his back.
                OpenOptions::new().write(true).open(&path)?;
            }
            Ok(Place::Beside(file, path))
        }
        Err(_) if path.exists() => {
            OpenOptions::new().write(true).open(&path)?;
            Ok(Place::Apart(tempfile::tempfile()?, path))
        }
        Err(error) => Err(error),
    }
}
