//! Files, passwords, keys, times and names that the options of `tls::ca` give, and the output file.

use std::io::{Read, Write};
use std::path::Path;

use openssl::pkey::{PKey, Private};
use openssl::x509::{X509Crl, X509Name};

use super::table::Place;
use crate::ca::disk::{self, Staged};
use crate::ca::request::{Encoding, check_characters};
use crate::cmd::bytewise::Bytewise;
use crate::error::{Error, Reason, Result};
use crate::ossl::secret::Secret;
use crate::tcl::channel::Mask;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};
use crate::x509::{Problem, load, name, time};

/// The error for options that can't be carried out.
pub(super) fn option_error(option: &str, message: impl Into<String>) -> Error {
    Error::failed_with(Reason::CaOption, [option], message)
}

/// What a value is called in messages: a name, or the text that stands in its place.
pub(super) fn shown(value: &str) -> &str {
    match value.starts_with("-----BEGIN ") {
        true => "PEM text",
        false => value,
    }
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

/// The content that an option names: PEM text itself, a file, or standard input.
pub(super) fn load(option: &str, value: &str) -> Result<Vec<u8>> {
    if value.starts_with("-----BEGIN ") {
        return Ok(value.as_bytes().to_vec());
    }
    let read = match value {
        "-" => {
            let mut bytes = Vec::new();
            let done = std::io::stdin().read_to_end(&mut bytes);
            done.map(|_| bytes)
                .map_err(|error| option_error(option, error.to_string()))
        }
        name => files::read(name),
    };
    read.map_err(|error| Error::failed_with(Reason::CaRead, [value, option], error.message()))
}

/// The revocation list of a file.
pub(super) fn revocation_list(option: &str, file: &str) -> Result<X509Crl> {
    let lists = revocation_lists(option, file)?;
    let first = lists.into_iter().next();
    first.ok_or_else(|| Error::failed_with(Reason::CaRead, [shown(file)], "no revocation list"))
}

/// The revocation lists of a file, at least one.
pub(super) fn revocation_lists(option: &str, file: &str) -> Result<Vec<X509Crl>> {
    let bytes = load(option, file)?;
    load::crls(&bytes).map_err(|problem| {
        let file = shown(file);
        let message = format!("can't read a revocation list from \"{file}\": {problem}");
        Error::failed_with(Reason::CaRead, [file], message)
    })
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

/// Where the password of the private key comes from.
pub(super) struct Passwords {
    /// `-key`.
    given: Option<String>,
    /// `-passin`.
    source: Option<String>,
    /// `-password`.
    script: Option<Script>,
}

impl Passwords {
    /// Those that the options give.
    pub(super) fn of(interp: Interp<'_>, place: &Place<Obj>) -> Self {
        let prefix = place.password.as_ref();
        Self {
            given: place.key.clone(),
            source: place.passin.clone(),
            script: prefix.and_then(|prefix| Script::new(interp, prefix)),
        }
    }

    /// The private key of a file.
    pub(super) fn key(&self, option: &str, value: &str) -> Result<PKey<Private>> {
        let bytes = Secret::from(load(option, value)?);
        let mut failure = None;
        let mut asked = false;
        let mut ask = || {
            asked = true;
            self.password().map_err(|error| {
                let problem = Problem::new(error.message());
                failure = Some(error);
                problem
            })
        };
        let key = load::private_key(&bytes, &mut ask);
        let name = shown(value);
        key.map_err(|problem| match failure {
            Some(error) => error,
            None => {
                let (reason, why) = match asked {
                    true => (Reason::CaPassword, ", perhaps because of a wrong password"),
                    false => (Reason::CaRead, ""),
                };
                let message = format!("can't read the private key \"{name}\"{why}: {problem}");
                Error::failed_with(reason, [name], message)
            }
        })
    }

    /// The password.
    fn password(&self) -> Result<Secret> {
        if let Some(given) = &self.given {
            return Ok(Secret::from(given.as_bytes()));
        }
        if let Some(source) = &self.source {
            return password_from("-passin", source);
        }
        let refused = |message: String| Error::failed(Reason::CaPassword, message);
        let script = self.script.as_ref().ok_or_else(|| {
            refused(
                "the private key is encrypted, and there is no -passin, -key or -password"
                    .to_owned(),
            )
        })?;
        match script.call(&[]) {
            None => Err(refused("the interpreter is gone".to_owned())),
            Some(Err(error)) => Err(refused(format!(
                "the password script failed: {}",
                error.message()
            ))),
            Some(Ok(password)) => Ok(Secret::from(password.as_text().as_bytes())),
        }
    }
}

/// The password that a source of the program's kind leads to; `option` names the source.
pub(super) fn password_from(option: &str, source: &str) -> Result<Secret> {
    let bad = || {
        let message = format!("{option} must be pass:, env:, file: or fd: with a value, or stdin");
        option_error(option, message)
    };
    if source == "stdin" {
        let mut line = String::new();
        let done = std::io::stdin().read_line(&mut line);
        let line = Secret::from(line.into_bytes());
        return match done {
            Ok(_) => Ok(first_line(&line)),
            Err(error) => Err(option_error(option, error.to_string())),
        };
    }
    let (kind, rest) = source.split_once(':').ok_or_else(bad)?;
    match kind {
        "pass" => Ok(Secret::from(rest.as_bytes())),
        "env" => std::env::var(rest)
            .map(|value| Secret::from(value.into_bytes()))
            .map_err(|_| {
                let message = format!("there is no environment variable \"{rest}\"");
                Error::failed(Reason::CaPassword, message)
            }),
        "file" => load(option, rest).map(|bytes| first_line(&Secret::from(bytes))),
        "fd" => {
            let number: u32 = rest.parse().map_err(|_| bad())?;
            let bytes = load(option, &format!("/dev/fd/{number}"))?;
            Ok(first_line(&Secret::from(bytes)))
        }
        _ => Err(bad()),
    }
}

/// The first line of a text.
fn first_line(text: &Secret) -> Secret {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Secret::from(line.trim_ascii_end())
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
