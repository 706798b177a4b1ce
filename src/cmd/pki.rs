//! What options of the PKI commands name: certificates, keys, requests and passwords, as PEM text, in files or in
//! stores.

use std::io::Read;

use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};

use super::bytewise::Bytewise;
use crate::error::{Error, Reason, Result};
use crate::opts::Given;
use crate::opts::groups::PasswordScript;
use crate::ossl::secret::Secret;
use crate::ossl::store::{Item, Store, file_path};
use crate::tcl::channel::Mask;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};
use crate::x509::{Problem, load};

/// The reasons that a command gives.
#[derive(Clone, Copy)]
pub(super) struct Kinds {
    /// An option can't be used.
    pub(super) option: Reason,
    /// Something can't be read.
    pub(super) read: Reason,
    /// A password is missing or wrong.
    pub(super) password: Reason,
    /// Something can't be written.
    pub(super) write: Reason,
}

impl Kinds {
    /// The error for an option that can't be carried out.
    pub(super) fn refuse(self, option: &str, message: impl Into<String>) -> Error {
        Error::failed_with(self.option, [option], message)
    }

    /// The channel of an option, which must be open in a direction.
    pub(super) fn channel(
        self,
        interp: Interp<'_>,
        option: &str,
        name: &Obj,
        direction: Mask,
    ) -> Result<Bytewise> {
        Bytewise::find(interp, name, direction)
            .map_err(|message| Error::failed_with(self.option, [option, &*name.as_text()], message))
    }
}

/// What a value is called in messages: a name, or what stands in its place.
pub(super) fn shown(value: &str) -> &str {
    match is_text(value) {
        true => "PEM text",
        false => value,
    }
}

/// Whether a value is PEM text rather than a name.
fn is_text(value: &str) -> bool {
    value.starts_with("-----BEGIN ")
}

/// Whether a value names a store that isn't just a file.
pub(super) fn is_uri(value: &str) -> bool {
    let scheme = value.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.len() > 1
            && scheme != "file"
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '.')
    })
}

/// Where a password comes from: an option and the source that it gives.
#[derive(Clone, Copy)]
pub(super) struct PasswordOption<'a> {
    /// The option.
    pub(super) name: &'a str,
    /// The source, `pass:…` and its like.
    pub(super) source: Option<&'a str>,
    /// The password itself, which an option of its own may give; it comes before the source.
    pub(super) itself: Option<&'a str>,
}

impl<'a> PasswordOption<'a> {
    /// The source that an option may give.
    pub(super) fn new(name: &'a str, source: Option<&'a str>) -> Self {
        Self {
            name,
            source,
            itself: None,
        }
    }
}

/// Reads what options name.
pub(super) struct Inputs<'a> {
    /// The interpreter.
    pub(super) interp: Interp<'a>,
    /// The reasons for errors.
    pub(super) kinds: Kinds,
    /// The script of `-password`.
    pub(super) script: Option<Script>,
}

impl<'a> Inputs<'a> {
    /// Reads what the options of a call name.
    pub(super) fn new(interp: Interp<'a>, kinds: Kinds, given: &Given<Obj>) -> Result<Self> {
        let prefix = PasswordScript::read(given)?.password;
        Ok(Self {
            interp,
            kinds,
            script: prefix.and_then(|prefix| Script::new(interp, &prefix)),
        })
    }

    /// The error for an option that can't be carried out.
    pub(super) fn refuse(&self, option: &str, message: impl Into<String>) -> Error {
        self.kinds.refuse(option, message)
    }

    /// Refuses files in a safe interpreter.
    pub(super) fn check_access(&self, option: &str, name: &str) -> Result<()> {
        match self.interp.is_safe() {
            true => Err(Error::failed_with(
                self.kinds.read,
                [option, name],
                format!("couldn't open \"{name}\": a safe interpreter has no files"),
            )),
            false => Ok(()),
        }
    }

    /// The content that an option names: PEM text itself, or a file.
    pub(super) fn content(&self, option: &str, value: &str) -> Result<Vec<u8>> {
        if is_text(value) {
            return Ok(value.as_bytes().to_vec());
        }
        self.check_access(option, value)?;
        files::read(file_path(value).unwrap_or(value))
            .map_err(|error| Error::failed_with(self.kinds.read, [option, value], error.message()))
    }

    /// The same for what a command works on, where a dash is the standard input.
    pub(super) fn document(&self, option: &str, value: &str) -> Result<Vec<u8>> {
        match value {
            "-" => self.everything_from(option, &Obj::text("stdin")),
            _ => self.content(option, value),
        }
    }

    /// Everything that comes through a channel.
    pub(super) fn everything_from(&self, option: &str, name: &Obj) -> Result<Vec<u8>> {
        let mut channel = self
            .kinds
            .channel(self.interp, option, name, Mask::READABLE)?;
        let mut bytes = Vec::new();
        channel.read_to_end(&mut bytes).map_err(|error| {
            let name = name.as_text();
            let message = format!("can't read the channel \"{name}\": {error}");
            Error::failed_with(self.kinds.read, [option, &*name], message)
        })?;
        Ok(bytes)
    }

    /// The password of an option or of the script.
    fn password(&self, option: PasswordOption<'_>) -> Result<Secret> {
        if let Some(password) = option.itself {
            return Ok(Secret::from(password.as_bytes()));
        }
        if let Some(source) = option.source {
            return self.password_from(option.name, source);
        }
        let refused = |message: String| Error::failed(self.kinds.password, message);
        let script = self.script.as_ref().ok_or_else(|| {
            refused(format!(
                "it is encrypted, and neither {} nor -password was given",
                option.name
            ))
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

    /// The password that a source of the program's kind leads to.
    pub(super) fn password_from(&self, option: &str, source: &str) -> Result<Secret> {
        let bad = || {
            self.refuse(
                option,
                format!("{option} must be pass:, env:, file: or fd: with a value, or stdin"),
            )
        };
        if source == "stdin" {
            return self.line_of_input(option);
        }
        let (kind, rest) = source.split_once(':').ok_or_else(bad)?;
        match kind {
            "pass" => Ok(Secret::from(rest.as_bytes())),
            "env" => match std::env::var(rest) {
                Ok(value) => Ok(Secret::from(value.into_bytes())),
                Err(_) => {
                    let message = format!("there is no environment variable \"{rest}\"");
                    Err(Error::failed_with(self.kinds.password, [option], message))
                }
            },
            "file" => {
                let content = Secret::from(self.content(option, rest)?);
                Ok(first_line(&content))
            }
            "fd" => {
                let number: u32 = rest.parse().map_err(|_| bad())?;
                let content = Secret::from(self.content(option, &format!("/dev/fd/{number}"))?);
                Ok(first_line(&content))
            }
            _ => Err(bad()),
        }
    }

    /// The first line of the standard input; what is behind it stays for others.
    fn line_of_input(&self, option: &str) -> Result<Secret> {
        let failed = |why: String| Error::failed_with(self.kinds.password, [option], why);
        let stdin = Obj::text("stdin");
        let mut input = Bytewise::find(self.interp, &stdin, Mask::READABLE).map_err(failed)?;
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            match input.read(&mut byte) {
                Ok(1) if byte != *b"\n" => line.push(byte[0]),
                Ok(_) => return Ok(first_line(&Secret::from(line))),
                Err(error) => {
                    return Err(failed(format!("can't read the standard input: {error}")));
                }
            }
        }
    }

    /// Reads something that may be encrypted.
    fn read<T>(
        &self,
        option: &str,
        value: &str,
        password: PasswordOption<'_>,
        read: impl FnOnce(&[u8], &mut load::AskPassword<'_>) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        let content = Secret::from(self.content(option, value)?);
        let mut asked = None;
        let mut ask = || {
            let given = self.password(password);
            let answer = match &given {
                Ok(secret) => Ok(secret.clone()),
                Err(error) => Err(Problem::new(error.message())),
            };
            asked = Some(given.map(drop));
            answer
        };
        let outcome = read(&content, &mut ask);
        outcome.map_err(|problem| {
            let (reason, why) = match asked {
                Some(Err(error)) => (self.kinds.password, error.message()),
                Some(Ok(())) => (
                    self.kinds.password,
                    format!("perhaps because of a wrong password: {problem}"),
                ),
                None => (self.kinds.read, problem.to_string()),
            };
            let message = format!("can't read \"{}\" of {option}: {why}", shown(value));
            Error::failed_with(reason, [option, shown(value)], message)
        })
    }

    /// What a store holds.
    fn stored(&self, option: &str, uri: &str) -> Result<Vec<Item>> {
        self.check_access(option, uri)?;
        let refused = |stack: openssl::error::ErrorStack| {
            let entries = crate::ossl::error::entries(&stack);
            let why = crate::error::reasons_text(&entries);
            let message = format!("can't read the store \"{uri}\" of {option}: {why}");
            Error::failed_with(self.kinds.read, [option, uri], message)
        };
        let name = std::ffi::CString::new(uri)
            .map_err(|_| self.refuse(option, format!("{option} has a null character")))?;
        let store = Store::open(&name).map_err(refused)?;
        store.map(|item| item.map_err(refused)).collect()
    }

    /// All certificates of a file or store; at least one.
    pub(super) fn certificates(
        &self,
        option: &str,
        value: &str,
        password: PasswordOption<'_>,
    ) -> Result<Vec<X509>> {
        if !is_text(value) && is_uri(value) {
            let items = self.stored(option, value)?;
            let found: Vec<X509> = items
                .into_iter()
                .filter_map(|item| match item {
                    Item::Certificate(certificate) => Some(certificate),
                    _ => None,
                })
                .collect();
            return match found.is_empty() {
                true => Err(self.nothing(option, value, "certificate")),
                false => Ok(found),
            };
        }
        self.read(option, value, password, |content, ask| {
            if !load::is_pkcs12(content) {
                return load::certificates(content);
            }
            let bundle = load::pkcs12(content, ask)?;
            let all: Vec<X509> = bundle.certificate.into_iter().chain(bundle.chain).collect();
            match all.is_empty() {
                true => Err(Problem::new("no certificate in it")),
                false => Ok(all),
            }
        })
    }

    /// The first certificate of a file or store.
    pub(super) fn certificate(
        &self,
        option: &str,
        value: &str,
        password: PasswordOption<'_>,
    ) -> Result<X509> {
        let all = self.certificates(option, value, password)?;
        self.first(all, option, value, "certificate")
    }

    /// The first of what was found.
    fn first<T>(&self, found: Vec<T>, option: &str, value: &str, what: &str) -> Result<T> {
        let first = found.into_iter().next();
        first.ok_or_else(|| self.nothing(option, value, what))
    }

    /// The error for a value behind which there isn't what was wanted.
    fn nothing(&self, option: &str, value: &str, what: &str) -> Error {
        let value = shown(value);
        let message = format!("there is no {what} in \"{value}\" of {option}");
        Error::failed_with(self.kinds.read, [option, value], message)
    }

    /// The revocation lists of a file, at least one.
    pub(super) fn revocation_lists(&self, option: &str, value: &str) -> Result<Vec<X509Crl>> {
        let content = self.document(option, value)?;
        load::crls(&content).map_err(|problem| {
            let value = shown(value);
            let message = format!("can't read a revocation list from \"{value}\": {problem}");
            Error::failed_with(self.kinds.read, [option, value], message)
        })
    }

    /// The first revocation list of a file.
    pub(super) fn revocation_list(&self, option: &str, value: &str) -> Result<X509Crl> {
        let all = self.revocation_lists(option, value)?;
        self.first(all, option, value, "revocation list")
    }

    /// The private key of a file or store.
    pub(super) fn key(
        &self,
        option: &str,
        value: &str,
        password: PasswordOption<'_>,
    ) -> Result<PKey<Private>> {
        if !is_text(value) && is_uri(value) {
            let items = self.stored(option, value)?.into_iter();
            let keys = items.filter_map(|item| match item {
                Item::Key(key) => Some(key),
                _ => None,
            });
            return self.first(keys.collect(), option, value, "private key");
        }
        self.read(option, value, password, |content, ask| {
            if !load::is_pkcs12(content) {
                return load::private_key(content, ask);
            }
            let key = load::pkcs12(content, ask)?.key;
            key.ok_or_else(|| Problem::new("no private key in it"))
        })
    }
}

/// The first line of a text.
fn first_line(text: &Secret) -> Secret {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Secret::from(line.strip_suffix(b"\r").unwrap_or(line))
}
