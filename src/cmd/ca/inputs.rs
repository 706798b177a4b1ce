//! Passwords, forms, times and names that the options of `tls::ca` give.

use openssl::x509::X509Name;

use super::options::Place;
use crate::ca::request::{Encoding, check_characters};
use crate::cmd::pki::{Kinds, PasswordOption};
use crate::error::{Error, Reason, Result};
use crate::opts::Given;
use crate::opts::groups::KeyPassword;
use crate::tcl::{Interp, Obj};
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
    KINDS.refuse(option, message)
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

/// Refuses a number of days or the like that isn't above zero, also where another option counts.
pub(super) fn above_zero(option: &str, number: Option<i64>) -> Result<()> {
    match number {
        Some(..=0) => Err(option_error(option, format!("{option} must be above zero"))),
        _ => Ok(()),
    }
}

/// The subject that `-subj` gives.
pub(super) fn subject(text: &str, utf8: bool) -> Result<X509Name> {
    check_characters(text, utf8, text)?;
    let made = name::parse_slash(text).and_then(|sets| name::build(&sets));
    made.map_err(|problem| option_error("-subj", problem.to_string()))
}

/// Where the password of the private key comes from.
pub(super) struct Password {
    /// `-key`
    itself: Option<String>,
    /// `-passin`
    source: Option<String>,
}

impl Password {
    /// Takes the options apart.
    pub(super) fn read(given: &Given<Obj>, place: &Place<Obj>) -> Result<Self> {
        Ok(Self {
            itself: place.key.clone(),
            source: KeyPassword::read(given)?.passin,
        })
    }

    /// The same as those take it who read keys.
    pub(super) fn option(&self) -> PasswordOption<'_> {
        PasswordOption {
            itself: self.itself.as_deref(),
            ..PasswordOption::new("-passin", self.source.as_deref())
        }
    }
}
