//! What a call of `tls::ca` needs of the library around it: random numbers, the string types of names, the form in
//! which certificates are shown.

use tempfile::NamedTempFile;

use super::inputs::KINDS;
use super::{Job, Words};
use crate::ca::config::Config;
use crate::cmd::library::Library;
use crate::cmd::pki::Inputs;
use crate::cmd::sink::{Sink, Store, Target};
use crate::error::{Error, Reason, Result};
use crate::opts::{Given, options};
use crate::ossl::secret::Secret;
use crate::ossl::x509_name::Mask;
use crate::ossl::{library, print};
use crate::tcl::{Interp, Obj, files};
use crate::x509::name;

options! {
    /// Random numbers, whose files an authority's configuration may name, unlike other commands'; and how much is told.
    pub(super) table SURROUNDINGS {
        Text = "-rand", Both, Command, "3.0", "RANDFILE of the configuration",
            "Files with colons between, whose bytes go into the random numbers; may be repeated";
        File = "-writerand", Both, Command, "3.0", "RANDFILE of the configuration",
            "File that gets random bytes, for -rand of another time";
        Flag = "-verbose", Both, Command, "3.0", "off", "Tell each step in what -info gets";
        Flag = "-quiet", Both, Command, "3.0", "on", "Tell no steps, if it comes after -verbose";
    }
}

/// Does what the options say of the library, and what `RANDFILE` does.
pub(super) fn library(inputs: &Inputs<'_>, words: &Words, config: &Config) -> Result<Library> {
    // As in the program, the file need not be there yet.
    if let Some(name) = config.random_file()
        && let Ok(bytes) = files::read(&name)
    {
        library::add_random(&bytes);
    }
    Library::load(inputs, &words.given, false)
}

/// Writes random bytes to a file.
pub(super) fn write_random(interp: Interp<'_>, name: &str) -> Result<()> {
    let bytes = Secret::from(&Library::random(KINDS)?[..]);
    let mut sink = Sink::private_file(interp, Target::new(KINDS, "-writerand", name))?;
    sink.put(&bytes)?;
    sink.finish()?;
    Ok(())
}

/// Whether steps are told: the last of two options decides.
pub(super) fn is_verbose(given: &Given<Obj>) -> bool {
    let last = given.last_of(&["-verbose", "-quiet"]);
    last.is_some_and(|setting| setting.spec.name == "-verbose")
}

/// The form in which certificates are shown, by `name_opt` and `cert_opt`: bits for names and for certificates.
pub(super) fn shown_form(config: &Config) -> Result<(u64, u64)> {
    let names = match config.value("name_opt") {
        Some(words) => name::Form::parse(&words)
            .map_err(|problem| config.bad("name_opt", &problem.to_string()))?
            .bits(),
        None => 0,
    };
    let parts = match config.value("cert_opt") {
        Some(words) => print::certificate_form(&words)
            .map_err(|word| config.bad("cert_opt", &format!("unknown word \"{word}\"")))?,
        None => 0,
    };
    Ok((names, parts))
}

impl Job<'_> {
    /// Makes names with the string types that `string_mask` allows.
    pub(super) fn with_mask<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mask = match self.config.value("string_mask") {
            Some(words) => Some(Mask::set(&words).ok_or_else(|| {
                self.config
                    .bad("string_mask", &format!("\"{words}\" is no string mask"))
            })?),
            None => None,
        };
        let made = make();
        drop(mask);
        made
    }

    /// Where an output waits until all is right; that of a channel waits in a file.
    pub(super) fn waiting(&self) -> Result<Store> {
        match Sink::output(self.interp, KINDS, &self.output, false)? {
            Sink::Store(store) => Ok(store),
            Sink::Early(_) | Sink::Late(..) => {
                let failed =
                    |error: std::io::Error| Error::failed(Reason::CaWrite, error.to_string());
                NamedTempFile::new().map(Store::Named).map_err(failed)
            }
        }
    }
}

/// The file that `-writerand`, or else `RANDFILE`, names for random bytes.
pub(super) fn random_file(words: &Words, config: &Config) -> Option<String> {
    let asked = words.given.texts("-writerand").pop();
    asked.or_else(|| config.random_file())
}
