//! The library as the options of a call want it: providers, properties, random numbers, configuration.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use openssl::cipher::Cipher;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;

use super::option_error;
use crate::cmd::pki::Inputs;
use crate::cms::refused;
use crate::error::{Error, Reason, Result};
use crate::opts::{Given, Word};
use crate::ossl::engine::Engine;
use crate::ossl::library;
use crate::tcl::{Obj, files};

/// How many random bytes `-writerand` writes, as the program does.
const RANDOM: usize = 1024;

/// What was loaded for a call; it goes with the call.
pub(super) struct Library {
    /// The providers, which stay loaded as long as this.
    _providers: Vec<(String, Provider)>,
    /// The engine that was started last.
    engine: Option<Engine>,
    /// Whether keys are kept by the engine.
    engine_keys: bool,
    /// The properties that algorithms must have.
    properties: Option<String>,
}

impl Library {
    /// Does what the options say, in their order.
    pub(super) fn load(inputs: &Inputs<'_>, given: &Given<Obj>) -> Result<Self> {
        let mut providers = Vec::new();
        let mut properties = None;
        let mut engine = None;
        let mut engine_keys = false;
        for setting in given.all() {
            let option = setting.spec.name;
            let value = setting.value.as_ref().map(Word::text).unwrap_or_default();
            match option {
                "-provider" => {
                    let provider = Provider::try_load(None, &value, true).map_err(|stack| {
                        refused(
                            Reason::CmsOption,
                            &format!("can't load the provider \"{value}\""),
                            &stack,
                        )
                    })?;
                    providers.push((value.into_owned(), provider));
                }
                "-provparam" => set_parameter(&providers, &value)?,
                "-engine" => engine = Some(start_engine(&value)?),
                "-provider-path" => {
                    inputs.check_access(option, &value)?;
                    let path = files::native(&value)?;
                    Provider::set_default_search_path(None, &path.to_string_lossy()).map_err(
                        |stack| {
                            refused(
                                Reason::CmsOption,
                                "can't set the folder of providers",
                                &stack,
                            )
                        },
                    )?;
                }
                "-propquery" => properties = Some(value.into_owned()),
                "-rand" => {
                    for name in value.split(':') {
                        library::add_random(&inputs.content(option, name)?);
                    }
                }
                "-config" => {
                    inputs.check_access(option, &value)?;
                    let path = files::native(&value)?;
                    let path = CString::new(path.as_os_str().as_bytes())
                        .map_err(|_| option_error(option, "a file name can't hold a zero byte"))?;
                    library::configure(&path).map_err(|stack| {
                        refused(
                            Reason::CmsRead,
                            &format!("can't carry out \"{value}\""),
                            &stack,
                        )
                    })?;
                }
                "-keyform" => engine_keys = is_engine_form(&value)?,
                _ => {}
            }
        }
        if engine_keys && engine.is_none() {
            let message = "-keyform ENGINE needs -engine";
            return Err(option_error("-keyform", message));
        }
        Ok(Self {
            _providers: providers,
            engine,
            engine_keys,
            properties,
        })
    }

    /// The random bytes that `-writerand` writes.
    pub(super) fn random() -> Result<[u8; RANDOM]> {
        let mut bytes = [0; RANDOM];
        openssl::rand::rand_bytes(&mut bytes)
            .map_err(|stack| refused(Reason::CmsWrite, "no random bytes", &stack))?;
        Ok(bytes)
    }

    /// The private key of a name, if the engine is asked for keys.
    pub(super) fn engine_key(&self, option: &str, name: &str) -> Option<Result<PKey<Private>>> {
        let engine = self.engine.as_ref().filter(|_| self.engine_keys)?;
        Some(engine.key(name).map_err(|stack| {
            let why = crate::error::reasons_text(&crate::ossl::error::entries(&stack));
            let message = format!("the engine has no key \"{name}\": {why}");
            Error::failed_with(Reason::CmsRead, [option, name], message)
        }))
    }

    /// The digest of a name.
    pub(super) fn digest(&self, name: &str) -> Result<Md> {
        Md::fetch(None, name, self.properties.as_deref())
            .map_err(|_| option_error("-md", format!("unknown digest \"{name}\"")))
    }

    /// The cipher of a name, in any of its spellings; `None` if there is none.
    pub(super) fn cipher(&self, name: &str) -> Option<Cipher> {
        [name.to_owned(), name.replace('_', "-")]
            .iter()
            .find_map(|name| Cipher::fetch(None, name, self.properties.as_deref()).ok())
    }
}

/// Whether the word of `-keyform` says that an engine keeps the key; which form another key has shows in its content.
fn is_engine_form(word: &str) -> Result<bool> {
    match word.to_ascii_uppercase().as_str() {
        "ENGINE" => Ok(true),
        "PEM" | "DER" | "P12" | "PKCS12" => Ok(false),
        _ => Err(option_error(
            "-keyform",
            format!("bad -keyform \"{word}\": must be PEM, DER, P12, or ENGINE"),
        )),
    }
}

/// Starts an engine.
fn start_engine(name: &str) -> Result<Engine> {
    let id =
        CString::new(name).map_err(|_| option_error("-engine", "a name can't hold a zero byte"))?;
    let failed = |stack: ErrorStack| {
        let doing = format!("can't start the engine \"{name}\"");
        refused_option("-engine", &doing, &stack)
    };
    Engine::start(&id).map_err(failed)?.ok_or_else(|| {
        let version = openssl::version::version();
        let message = format!("{version} has no engines; releases before 4.0 have them");
        option_error("-engine", message)
    })
}

/// Carries a `-provparam` out.
fn set_parameter(providers: &[(String, Provider)], word: &str) -> Result<()> {
    let bad = || {
        option_error(
            "-provparam",
            "-provparam takes provider:name=value or name=value",
        )
    };
    let (left, value) = word.split_once('=').ok_or_else(bad)?;
    let (only, name) = match left.split_once(':') {
        Some((only, name)) => (Some(only), name),
        None => (None, left),
    };
    let text = |text: &str| CString::new(text).map_err(|_| bad());
    let (name, value) = (text(name)?, text(value)?);
    let chosen: Vec<_> = providers
        .iter()
        .filter(|(provider, _)| only.is_none_or(|only| only == provider))
        .collect();
    if chosen.is_empty() {
        let message = "there is no such -provider before -provparam";
        return Err(option_error("-provparam", message));
    }
    for (_, provider) in chosen {
        let Some(outcome) = library::set_provider_parameter(provider, &name, &value) else {
            let version = openssl::version::version();
            let message = format!("{version} can't set parameters of providers; 3.5 and later can");
            return Err(option_error("-provparam", message));
        };
        outcome.map_err(|stack| {
            refused_option("-provparam", "can't set the provider's parameter", &stack)
        })?;
    }
    Ok(())
}

/// The error for an option that OpenSSL refuses.
fn refused_option(option: &str, doing: &str, stack: &ErrorStack) -> Error {
    let why = crate::error::reasons_text(&crate::ossl::error::entries(stack));
    option_error(option, format!("{doing}: {why}"))
}
