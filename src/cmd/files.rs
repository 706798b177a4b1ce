//! Files for the floors below, read through Tcl; none at all in a safe interpreter.

use std::path::PathBuf;

use crate::context::{Files, Secret, Stamp};
use crate::error::Result;
use crate::tcl::Interp;
use crate::tcl::files;

/// An interpreter's access to files.
pub(super) struct Access {
    /// Whether there is none.
    safe: bool,
}

impl Access {
    /// The access that an interpreter has.
    pub(super) fn of(interp: Interp<'_>) -> Self {
        Self {
            safe: interp.is_safe(),
        }
    }

    /// Refuses a safe interpreter.
    fn check(&self, path: &str) -> Result<()> {
        match self.safe {
            true => Err(files::os_error(
                libc::EACCES,
                &format!("couldn't open \"{path}\" in a safe interpreter"),
            )),
            false => Ok(()),
        }
    }
}

impl Files for Access {
    fn stamp(&self, path: &str) -> Option<Stamp> {
        self.check(path).ok()?;
        let native = files::native(path).ok()?;
        std::fs::metadata(native)
            .ok()
            .map(|metadata| Stamp::of(&metadata))
    }

    fn read(&self, path: &str) -> Result<Secret> {
        self.check(path)?;
        files::read(path).map(Secret::from)
    }

    fn native(&self, path: &str) -> Result<PathBuf> {
        self.check(path)?;
        files::native(path)
    }
}
