//! Files, passwords, keys, times and names that the options of `tls::ca` give, and the output file.

use std::io::Write;
use std::path::Path;

use openssl::x509::X509Name;

use super::table::Place;
use crate::ca::disk::{self, Staged};
use crate::ca::request::{Encoding, check_characters};
use crate::cmd::bytewise::Bytewise;
use crate::cmd::pki::{Inputs, Kinds, PasswordOption};
use crate::error::{Error, Reason, Result};
use crate::ossl::secret::Secret;
use crate::tcl::channel::Mask;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};
use crate::x509::{name, time};

/// The reasons that this command gives.
pub(super) const KINDS: Kinds = Kinds {
    option: Reason::CaOption,
    read: Reason::CaRead,
    password: Reason::CaPassword,
    write: Reason::CaWrite,
};

/// The error for options that can't be carried out.
pub(super) fn option_error(option: &str, message: impl Into<String>) -> Error {
    Error::failed_with(Reason::CaOption, [option], message)
}

/// Refuses files in a safe interpreter.
pub(super) fn check_access(interp: Interp<'_>) -> Result<()> {
    match interp.is_safe() {
        true => Err(Error::failed(
            Reason::CaOption,
            "a safe interpreter has no files, so tls::ca can't work there",
        )),
        false => Ok(()),
    }
}

/// The form that a word names.
pub(super) fn encoding(option: &str, word: Option<&str>) -> Result<Option<Encoding>> {
    match word.map(str::to_ascii_uppercase).as_deref() {
        None => Ok(None),
        Some("PEM") => Ok(Some(Encoding::Pem)),
        Some("DER") => Ok(Some(Encoding::Der)),
        Some(word) => Err(option_error(
            option,
            format!("bad form \"{word}\": must be DER or PEM"),
        )),
    }
}

/// The time that an option or a key gives.
pub(super) fn moment(what: &str, text: &str) -> Result<i64> {
    time::parse(text).map_err(|problem| option_error(what, problem.to_string()))
}

/// The subject that `-subj` gives.
pub(super) fn subject(text: &str, utf8: bool) -> Result<X509Name> {
    check_characters(text, utf8, text)?;
    let made = name::parse_slash(text).and_then(|sets| name::build(&sets));
    made.map_err(|problem| option_error("-subj", problem.to_string()))
}

impl Place<Obj> {
    /// Reads what options name, with the script of `-password`.
    pub(super) fn inputs<'a>(&self, interp: Interp<'a>) -> Inputs<'a> {
        let prefix = self.password.as_ref();
        Inputs {
            interp,
            kinds: KINDS,
            script: prefix.and_then(|prefix| Script::new(interp, prefix)),
        }
    }

    /// Where the password of the private key comes from.
    pub(super) fn password(&self) -> PasswordOption<'_> {
        PasswordOption {
            itself: self.key.as_deref(),
            ..PasswordOption::new("-passin", self.passin.as_deref())
        }
    }
}

/// An output on its way: whatever could fail has happened when this is made.
pub(super) enum Out {
    /// The command's result.
    Result(Vec<u8>),
    /// A file that waits for its name.
    File(Staged),
    /// What can't be renamed: a device, or a file in a virtual file system.
    Direct(String, Vec<u8>),
    /// A channel.
    Channel(Bytewise, Vec<u8>),
}

impl Out {
    /// Gets an output ready.
    pub(super) fn stage(name: Option<&str>, write: &mut Writing<'_>) -> Result<Self> {
        let memory = |write: &mut Writing<'_>| {
            let mut bytes = Vec::new();
            write(&mut |part| {
                bytes.extend_from_slice(part);
                Ok(())
            })?;
            Ok(bytes)
        };
        let Some(name) = name.filter(|name| *name != "-") else {
            return memory(write).map(Self::Result);
        };
        let path = files::native(name).ok();
        refuse_folder(name, path.as_deref())?;
        match path.filter(|path| !path.exists() || path.is_file()) {
            Some(path) => Self::stage_file(&disk::resolve(&path), write)
                .map_err(|error| Error::failed_with(Reason::CaWrite, [name], error.message())),
            None => memory(write).map(|bytes| Self::Direct(name.to_owned(), bytes)),
        }
    }

    /// Gets an output for a channel ready.
    pub(super) fn channel(interp: Interp<'_>, name: &Obj, write: &mut Writing<'_>) -> Result<Self> {
        let channel = Bytewise::find(interp, name, Mask::WRITABLE).map_err(|message| {
            Error::failed_with(Reason::CaWrite, [&*name.as_text(), "-outchan"], message)
        })?;
        let mut bytes = Vec::new();
        write(&mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(Self::Channel(channel, bytes))
    }

    /// Gets the output of a private key ready: a file of it is for its owner alone.
    pub(super) fn stage_secret(name: &str, secret: &Secret) -> Result<Self> {
        if name == "-" {
            return Ok(Self::Result(secret.to_vec()));
        }
        let refused = |error: Error| Error::failed_with(Reason::CaWrite, [name], error.message());
        // Virtual file systems know no permissions.
        let path = files::native(name).map_err(refused)?;
        refuse_folder(name, Some(&path))?;
        match !path.exists() || path.is_file() {
            true => disk::stage_private(&disk::resolve(&path), secret)
                .map(Self::File)
                .map_err(refused),
            false => Ok(Self::Direct(name.to_owned(), secret.to_vec())),
        }
    }

    /// Gets a file ready.
    fn stage_file(path: &Path, write: &mut Writing<'_>) -> Result<Self> {
        disk::stage_with(path, |sink| write(&mut |part| sink.put(part))).map(Self::File)
    }

    /// Lets the output out; what is for the script comes back.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Result(bytes) => Ok(bytes),
            Self::File(staged) => {
                let done = staged.finish(false);
                done.map_err(|error| Error::failed(Reason::CaWrite, error.message()))?;
                Ok(Vec::new())
            }
            Self::Channel(mut channel, bytes) => {
                let written = channel.settle().and_then(|()| channel.write_all(&bytes));
                written.map_err(|error| {
                    let message = format!("can't write to the channel: {error}");
                    Error::failed_with(Reason::CaWrite, ["-outchan"], message)
                })?;
                Ok(Vec::new())
            }
            Self::Direct(name, bytes) => {
                let refused =
                    |message: String| Error::failed_with(Reason::CaWrite, [&*name], message);
                let mut file = files::create(&name).map_err(|error| refused(error.message()))?;
                file.write_all(&bytes)
                    .map_err(|error| refused(error.to_string()))?;
                file.close().map_err(|error| refused(error.to_string()))?;
                Ok(Vec::new())
            }
        }
    }
}

/// Refuses a folder where a file is to be written.
fn refuse_folder(name: &str, path: Option<&Path>) -> Result<()> {
    match path.is_some_and(disk::is_folder) {
        true => {
            let message = format!("\"{name}\" is a folder");
            Err(Error::failed_with(Reason::CaWrite, [name], message))
        }
        false => Ok(()),
    }
}

/// Hands an output piece by piece to a sink.
pub(super) type Writing<'a> = dyn FnMut(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> + 'a;
