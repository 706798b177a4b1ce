//! Files through Tcl's file system, so that certificates and keys may lie in an archive or another virtual one.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::ffi::tcl as c;

use super::Obj;
use super::channel::Channel;
use super::driver;

/// The largest piece read at once.
const PIECE: usize = 64 * 1024;

/// The whole content of a file. The buffer that holds it is handed out, so that a secret can be wiped.
#[expect(
    clippy::disallowed_methods,
    reason = "only where Tcl says that the file is in the native file system"
)]
pub(crate) fn read(name: &str) -> Result<Vec<u8>> {
    let path = Obj::text(name);
    // Without a channel, which takes three times as long for a small file; there are calls that read thousands. The
    // buffer has the file's length from the start here, too.
    if let Some(native) = native_path(&path).filter(|native| native.is_file()) {
        return fs::read(native).map_err(|error| {
            file_error(error.raw_os_error().unwrap_or(libc::ENOMEM), "open", name)
        });
    }
    // SAFETY: the path is alive; without an interpreter an error is errno alone.
    let channel =
        unsafe { c::Tcl_FSOpenFileChannel(std::ptr::null_mut(), path.as_ptr(), c"rb".as_ptr(), 0) };
    let Some(channel) = Channel::from_raw(channel) else {
        return Err(file_error(errno(), "open", name));
    };
    let content = read_all(channel);
    // The content is complete or the error is known: what closing says adds nothing.
    let _ = channel.close();
    content.map_err(|error| file_error(error.raw_os_error().unwrap_or(libc::EIO), "read", name))
}

/// A new file, written through Tcl.
pub(crate) struct Created(Channel);

/// Creates a file, or empties one that is there.
pub(crate) fn create(name: &str) -> Result<Created> {
    let path = Obj::text(name);
    // SAFETY: the path is alive; without an interpreter an error is errno alone.
    let channel = unsafe {
        c::Tcl_FSOpenFileChannel(std::ptr::null_mut(), path.as_ptr(), c"wb".as_ptr(), 0o666)
    };
    Channel::from_raw(channel)
        .map(Created)
        .ok_or_else(|| file_error(errno(), "open", name))
}

impl Created {
    /// Closes the file.
    pub(crate) fn close(self) -> io::Result<()> {
        self.0.close()
    }
}

impl io::Write for Created {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_raw(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads until the end. The buffer is of the right size from the start, so that no copy of a secret is left behind.
pub(crate) fn read_all(channel: Channel) -> io::Result<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = vec![0; PIECE];
        let count = channel.read(&mut piece)?;
        if count == 0 {
            break;
        }
        piece.truncate(count);
        pieces.push(piece);
    }
    let content = pieces.concat();
    for piece in &mut pieces {
        piece.fill(0);
        std::hint::black_box(piece);
    }
    Ok(content)
}

/// The operating system's name of a file, for libraries that open it themselves; an error in a virtual file system.
pub(crate) fn native(name: &str) -> Result<PathBuf> {
    native_path(&Obj::text(name)).ok_or_else(|| Error::Io {
        errno: libc::EXDEV,
        name: "EXDEV".into(),
        text: "not a native file".to_owned(),
        message: format!("\"{name}\" isn't in the native file system"),
    })
}

/// The same for a folder that can be read.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let path = native(name)?;
    match fs::read_dir(&path) {
        Ok(_) => Ok(path),
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            Err(file_error(errno, "open", name))
        }
    }
}

/// The native path, where there is one.
fn native_path(path: &Obj) -> Option<PathBuf> {
    // SAFETY: the path is alive; the result is null or a C string that lives as long as the path's value.
    let native = unsafe { c::Tcl_FSGetNativePath(path.as_ptr()) };
    if native.is_null() {
        return None;
    }
    // SAFETY: on Unix the native form is a C string.
    let native = unsafe { CStr::from_ptr(native.cast()) };
    Some(PathBuf::from(OsStr::from_bytes(native.to_bytes())))
}

/// The current errno as Tcl keeps it.
fn errno() -> i32 {
    // SAFETY: reads Tcl's copy of this thread's errno.
    unsafe { c::Tcl_GetErrno() }
}

/// `couldn't open "name": no such file or directory`, as Tcl says it.
fn file_error(errno: i32, doing: &str, name: &str) -> Error {
    let error = os_error(errno, "");
    match error {
        Error::Io {
            errno,
            name: constant,
            text,
            ..
        } => {
            let message = format!("couldn't {doing} \"{name}\": {text}");
            Error::Io {
                errno,
                name: constant,
                text,
                message,
            }
        }
        other => other,
    }
}

/// The error for an errno value, in Tcl's words, with `doing` in front of them.
pub(crate) fn os_error(errno: i32, doing: &str) -> Error {
    // SAFETY: sets Tcl's copy of this thread's errno.
    unsafe { c::Tcl_SetErrno(errno) };
    // SAFETY: there is no precondition.
    let name = unsafe { c::Tcl_ErrnoId() };
    // SAFETY: that is a static string for the errno that was just set.
    let name = unsafe { driver::c_text(name) };
    // SAFETY: there is no precondition.
    let text = unsafe { c::Tcl_ErrnoMsg(errno) };
    // SAFETY: that is a static string.
    let text = unsafe { driver::c_text(text) };
    let message = if doing.is_empty() {
        text.clone()
    } else {
        format!("{doing}: {text}")
    };
    Error::Io {
        errno,
        name: name.into(),
        text,
        message,
    }
}
