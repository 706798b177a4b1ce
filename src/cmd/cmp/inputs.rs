//! What the options of `tls::cmp` name, as client and servers need it.

use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509Crl, X509Extension, X509Name, X509Req};

use super::table::Serving;
use super::words::Words;
use crate::cmd::library::Library;
use crate::cmd::pki::{Inputs, Kinds, PasswordOption};
use crate::cmd::verification;
use crate::cmp::names::items;
use crate::error::{Error, Reason, Result};
use crate::ossl::secret::Secret;
use crate::ossl::x509v3::Context;
use crate::tcl::Obj;
use crate::x509::chain::{Anchors, Checks, store};
use crate::x509::{Problem, extensions, load, name};

/// The reasons of this command.
pub(super) const KINDS: Kinds = Kinds {
    option: Reason::CmpOption,
    read: Reason::CmpRead,
    password: Reason::CmpPassword,
    write: Reason::CmpWrite,
};

/// The error for options that can't be carried out.
pub(super) fn option_error(option: &str, message: impl Into<String>) -> Error {
    KINDS.refuse(option, message)
}

/// A value that isn't empty, which stands for none.
pub(super) fn filled(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.is_empty())
}

/// A number within bounds.
pub(super) fn within(option: &str, value: Option<i64>, low: i64, high: i64) -> Result<Option<i64>> {
    match value {
        Some(value) if !(low..=high).contains(&value) => {
            let message = match high {
                i64::MAX => format!("{option} must be at least {low}"),
                high => format!("{option} must be from {low} to {high}"),
            };
            Err(option_error(option, message))
        }
        value => Ok(value),
    }
}

/// A number within bounds that fits OpenSSL.
pub(super) fn small(option: &str, value: Option<i64>, low: i64, high: i64) -> Result<Option<i32>> {
    let value = within(option, value, low, high.min(i64::from(i32::MAX)))?;
    Ok(value.and_then(|value| i32::try_from(value).ok()))
}

/// Loads what options name.
pub(super) struct Loader<'a> {
    /// Reads files and passwords.
    pub(super) inputs: Inputs<'a>,
    /// The library as options want it.
    pub(super) library: Library,
    /// `-otherpass`
    pub(super) other: Option<String>,
    /// How chains are checked.
    checks: Checks,
}

impl<'a> Loader<'a> {
    /// A loader for some words.
    pub(super) fn new(inputs: Inputs<'a>, words: &Words, other: Option<&str>) -> Result<Self> {
        Ok(Self {
            library: Library::load(&inputs, &words.given, false)?,
            inputs,
            other: other.map(str::to_owned),
            checks: verification::checks(&words.given, |option, message| {
                option_error(option, message)
            })?,
        })
    }

    /// The password for what others have made.
    fn other(&self) -> PasswordOption<'_> {
        PasswordOption::new("-otherpass", self.other.as_deref())
    }

    /// The password of an option.
    pub(super) fn pass<'p>(name: &'p str, source: Option<&'p String>) -> PasswordOption<'p> {
        PasswordOption::new(name, filled(source))
    }

    /// The secret of an option.
    pub(super) fn secret(&self, option: &str, source: Option<&String>) -> Result<Option<Secret>> {
        filled(source)
            .map(|source| self.inputs.password_from(option, source))
            .transpose()
    }

    /// The certificates of a list of sources; a value that is PEM text is one source.
    pub(super) fn list(&self, option: &str, value: Option<&String>) -> Result<Vec<X509>> {
        let Some(value) = filled(value) else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for source in sources(value) {
            all.extend(self.inputs.certificates(option, source, self.other())?);
        }
        Ok(all)
    }

    /// The update of a root that a server tells: the new root, that one by the old one's key, and the other way round.
    pub(super) fn update(&self, serving: &Serving<Obj>) -> Result<[Option<X509>; 3]> {
        let read = |option, value: &Option<String>| self.others_certificate(option, value.as_ref());
        Ok([
            read("-rsp_newwithnew", &serving.rsp_newwithnew)?,
            read("-rsp_newwithold", &serving.rsp_newwithold)?,
            read("-rsp_oldwithnew", &serving.rsp_oldwithnew)?,
        ])
    }

    /// The revocation lists of a list of sources, as far as they are looked into.
    pub(super) fn lists(&self, option: &str, value: Option<&String>) -> Result<Vec<X509Crl>> {
        let mut all = Vec::new();
        if self.checks.checks_revocation() {
            for source in filled(value).into_iter().flat_map(sources) {
                let content = self.inputs.content(option, source)?;
                // A source without lists is fine: others may have them.
                all.extend(load::crls(&content).unwrap_or_default());
            }
        }
        Ok(all)
    }

    /// Whether the private key of a source isn't there as it is: it is encrypted, or in a PKCS#12 file.
    pub(super) fn is_locked(&self, option: &str, source: &str) -> Result<bool> {
        let content = Secret::from(self.inputs.content(option, source)?);
        Ok(load::is_pkcs12(&content) || load::is_encrypted(&content))
    }

    /// The trusted certificates of a list of sources, as a store. What is new has the names that options want, and is valid
    /// now, whenever others must be.
    pub(super) fn trusted(
        &self,
        option: &str,
        value: Option<&String>,
        new: bool,
    ) -> Result<Option<X509Store>> {
        let Some(value) = filled(value) else {
            return Ok(None);
        };
        let mut anchors = Anchors {
            certificates: self.list(option, Some(&value.to_owned()))?,
            ..Anchors::default()
        };
        anchors.lists = self.lists(option, Some(&value.to_owned()))?;
        let checks = match new {
            true => &Checks {
                time: None,
                ..self.checks.clone()
            },
            false => &Checks {
                host: None,
                email: None,
                address: None,
                ..self.checks.clone()
            },
        };
        let made = store(&anchors, checks);
        made.map(Some)
            .map_err(|problem| option_error(option, problem.to_string()))
    }

    /// A store that trusts one certificate, which needn't be a root.
    pub(super) fn anchored(&self, option: &str, certificate: &X509) -> Result<X509Store> {
        let anchors = Anchors {
            certificates: vec![certificate.clone()],
            ..Anchors::default()
        };
        let mut checks = Checks {
            host: None,
            email: None,
            address: None,
            ..self.checks.clone()
        };
        checks.switch_on("-partial_chain");
        let made = store(&anchors, &checks);
        made.map_err(|problem| option_error(option, problem.to_string()))
    }

    /// A certificate and those that came with it.
    pub(super) fn certificate(
        &self,
        option: &str,
        value: Option<&String>,
        password: PasswordOption<'_>,
    ) -> Result<Option<(X509, Vec<X509>)>> {
        let Some(value) = filled(value) else {
            return Ok(None);
        };
        let mut all = self
            .inputs
            .certificates(option, value, password)?
            .into_iter();
        Ok(all.next().map(|first| (first, all.collect())))
    }

    /// A certificate that others have made.
    pub(super) fn others_certificate(
        &self,
        option: &str,
        value: Option<&String>,
    ) -> Result<Option<X509>> {
        let found = self.certificate(option, value, self.other())?;
        Ok(found.map(|(certificate, _)| certificate))
    }

    /// A private key.
    pub(super) fn key(
        &self,
        option: &str,
        value: Option<&String>,
        password: PasswordOption<'_>,
    ) -> Result<Option<PKey<Private>>> {
        filled(value)
            .map(|value| self.library.key(&self.inputs, option, value, password))
            .transpose()
    }

    /// A revocation list.
    pub(super) fn list_of_revocations(
        &self,
        option: &str,
        value: Option<&String>,
    ) -> Result<Option<X509Crl>> {
        filled(value)
            .map(|value| self.inputs.revocation_list(option, value))
            .transpose()
    }

    /// A PKCS#10 request.
    pub(super) fn request(&self, value: Option<&String>) -> Result<Option<X509Req>> {
        let Some(value) = filled(value) else {
            return Ok(None);
        };
        let content = self.inputs.content("-csr", value)?;
        let request = load::request(&content).map_err(|problem| unreadable("-csr", &problem))?;
        Ok(Some(request))
    }

    /// The messages in some files.
    pub(super) fn messages(&self, option: &str, value: Option<&String>) -> Result<Vec<Vec<u8>>> {
        let names = filled(value).unwrap_or_default();
        items(names)
            .map(|name| self.inputs.content(option, name))
            .collect()
    }
}

/// Refuses a private key that isn't that of a certificate; each comes with its option.
pub(super) fn check_pair(
    (key_option, key): (&str, &PKey<Private>),
    (option, certificate): (&str, &X509),
) -> Result<()> {
    match certificate.public_key() {
        Ok(public) if public.public_eq(key) => Ok(()),
        _ => {
            let message = format!("the private key of {key_option} isn't that of {option}");
            Err(option_error(key_option, message))
        }
    }
}

/// The error for something that isn't what an option wants.
fn unreadable(option: &str, problem: &Problem) -> Error {
    let message = format!("can't read the value of {option}: {problem}");
    Error::failed_with(Reason::CmpRead, [option], message)
}

/// The sources of a list; PEM text is one source.
fn sources(value: &str) -> Vec<&str> {
    match value.starts_with("-----BEGIN ") {
        true => vec![value],
        false => items(value).collect(),
    }
}

/// The name that an option gives. `/` is an empty one.
pub(super) fn distinguished_name(option: &str, value: Option<&String>) -> Result<Option<X509Name>> {
    let Some(value) = filled(value) else {
        return Ok(None);
    };
    let sets = match value {
        "/" => Ok(Vec::new()),
        value => name::parse_slash(value),
    };
    let made = sets.and_then(|sets| name::build(&sets));
    made.map(Some)
        .map_err(|problem| option_error(option, problem.to_string()))
}

/// The extensions that sections of the configuration describe.
pub(super) fn wanted_extensions(
    words: &Words,
    sections: &[(&str, Option<&String>)],
    request: Option<&X509Req>,
) -> Result<Option<Stack<X509Extension>>> {
    let mut all: Option<Stack<X509Extension>> = None;
    for (option, section) in sections {
        let Some(section) = filled(*section) else {
            continue;
        };
        let conf = words
            .conf
            .as_ref()
            .ok_or_else(|| option_error(option, format!("{option} needs a configuration")))?;
        let context = Context {
            request: request.map(|request| &**request),
            ..Context::default()
        };
        let made = extensions::from_section(conf, section, context);
        let made = made.map_err(|problem| option_error(option, problem.to_string()))?;
        match &mut all {
            None => all = Some(made),
            Some(all) => {
                for extension in made {
                    all.push(extension).map_err(|_| Error::panic("tls::cmp"))?;
                }
            }
        }
    }
    Ok(all)
}
