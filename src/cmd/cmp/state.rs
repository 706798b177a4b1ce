//! The files of a real server's state, by which a restart of it is nothing special: `library/cmpcases.tcl` says what is in
//! them. What a client is told is on the disk before.

use std::path::{Path, PathBuf};

use crate::ca::disk;
use crate::error::{Error, Reason, Result};
use crate::tcl::{Interp, Obj};

/// The folder, where there are files at all.
fn folder(interp: Interp<'_>, name: &Obj) -> Result<PathBuf> {
    if interp.is_safe() {
        return Err(Error::failed(
            Reason::CmpWrite,
            "a safe interpreter has no files",
        ));
    }
    Ok(PathBuf::from(&*name.as_text()))
}

/// The error for a state that can't be written.
fn unwritten(error: Error) -> Error {
    Error::failed_with(Reason::CmpWrite, ["-state"], error.message())
}

/// `tls::CmpKeep folder name ?bytes?`: keeps something in a file, on the disk and whole, or removes the file.
pub(in crate::cmd) fn keep(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let (place, name, bytes) = match words {
        [place, name] => (place, name, None),
        [place, name, bytes] => (place, name, Some(bytes)),
        _ => return Err(Error::wrong_args("tls::CmpKeep folder name ?bytes?")),
    };
    let folder = folder(interp, place)?;
    let path = folder.join(&*name.as_text());
    let done = match bytes {
        Some(bytes) => disk::stage(&path, &bytes.as_bytes().unwrap_or_default())
            .and_then(|staged| staged.finish(false)),
        None => disk::remove_file(&path),
    };
    let done = done.and_then(|()| disk::sync_folder(&folder));
    done.map_err(unwritten)?;
    Ok(Obj::empty())
}

/// `tls::CmpAppend folder name bytes`: adds something to a file, which is made if it isn't there. It is on the disk then; or
/// it fails, and the file is as before.
pub(in crate::cmd) fn append(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [place, name, bytes] = words else {
        return Err(Error::wrong_args("tls::CmpAppend folder name bytes"));
    };
    let folder = folder(interp, place)?;
    let path = folder.join(&*name.as_text());
    let bytes = bytes.as_bytes().unwrap_or_default();
    add(&folder, &path, &bytes).map_err(unwritten)?;
    Ok(Obj::empty())
}

/// Adds bytes to a file of a folder.
fn add(folder: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let file = disk::File::open_or_make(path)?;
    let end = file.stamp()?.len;
    let done = file.write_at(bytes, end).and_then(|()| file.sync());
    if done.is_err() {
        // Why that failed is what matters.
        let _ = file.set_len(end);
    }
    done?;
    match end {
        0 => disk::sync_folder(folder),
        _ => Ok(()),
    }
}
