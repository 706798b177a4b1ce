//! The library as the options of a call want it: providers, properties, random numbers, configuration.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;

use openssl::cipher::Cipher;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;

use super::pki::{Inputs, Kinds, PasswordOption};
use crate::error::{Error, Reason, Result, reasons_text};
use crate::opts::Given;
use crate::ossl::engine::Engine;
use crate::ossl::library;
use crate::tcl::{Obj, files};

/// The provider that is there where none was asked for.
const DEFAULT: &CStr = c"default";

/// How many random bytes `-writerand` writes, as the program does.
const RANDOM: usize = 1024;

/// What was loaded for a call; it goes with the call.
pub(super) struct Library {
    /// The reasons for errors.
    kinds: Kinds,
    /// The providers, which stay loaded as long as this.
    _providers: Vec<Provider>,
    /// The engine that was started last.
    engine: Option<Engine>,
    /// Whether keys are kept by the engine.
    engine_keys: bool,
    /// The properties that algorithms must have.
    properties: Option<String>,
}

impl Library {
    /// Does what the options say, in their order; `-config` is carried out if that is what the command means by it.
    pub(super) fn load(inputs: &Inputs<'_>, given: &Given<Obj>, configure: bool) -> Result<Self> {
        let mut providers = Vec::new();
        let mut properties = None;
        let mut engine = None;
        let mut engine_keys = false;
        let kinds = inputs.kinds;
        for setting in given.all() {
            let option = setting.spec.name;
            let value = setting.text();
            match option {
                "-provider" => {
                    if providers.is_empty() && library::has_provider(DEFAULT) {
                        // One with a library context of its own, as legacy has, takes random numbers and more from those
                        // that were loaded by name.
                        providers.extend(Provider::try_load(None, "default", true).ok());
                    }
                    let provider = Provider::try_load(None, &value, true).map_err(|stack| {
                        refused(
                            kinds.option,
                            &format!("can't load the provider \"{value}\""),
                            &stack,
                        )
                    })?;
                    providers.push(provider);
                }
                "-provparam" => set_parameter(kinds, &value)?,
                "-engine" => engine = Some(start_engine(kinds, &value)?),
                "-provider-path" => {
                    inputs.check_access(option, &value)?;
                    let path = files::native(&value)?;
                    Provider::set_default_search_path(None, &path.to_string_lossy()).map_err(
                        |stack| refused(kinds.option, "can't set the folder of providers", &stack),
                    )?;
                }
                "-propquery" => properties = Some(value.into_owned()),
                "-rand" => {
                    for name in value.split(':') {
                        library::add_random(&inputs.content(option, name)?);
                    }
                }
                "-config" if configure => {
                    inputs.check_access(option, &value)?;
                    let path = files::native(&value)?;
                    let path = CString::new(path.as_os_str().as_bytes())
                        .map_err(|_| kinds.refuse(option, "a file name can't hold a zero byte"))?;
                    library::configure(&path).map_err(|stack| {
                        refused(kinds.read, &format!("can't carry out \"{value}\""), &stack)
                    })?;
                }
                "-keyform" => engine_keys = is_engine_form(kinds, &value)?,
                _ => {}
            }
        }
        if engine_keys && engine.is_none() {
            let message = "-keyform ENGINE needs -engine";
            return Err(kinds.refuse("-keyform", message));
        }
        Ok(Self {
            kinds,
            _providers: providers,
            engine,
            engine_keys,
            properties,
        })
    }

    /// The random bytes that `-writerand` writes.
    pub(super) fn random(kinds: Kinds) -> Result<[u8; RANDOM]> {
        let mut bytes = [0; RANDOM];
        openssl::rand::rand_bytes(&mut bytes)
            .map_err(|stack| refused(kinds.write, "no random bytes", &stack))?;
        Ok(bytes)
    }

    /// The private key that an option names: the engine's, if that is asked for keys, or else what can be read.
    pub(super) fn key(
        &self,
        inputs: &Inputs<'_>,
        option: &str,
        name: &str,
        password: PasswordOption<'_>,
    ) -> Result<PKey<Private>> {
        match self.engine_key(option, name) {
            Some(key) => key,
            None => inputs.key(option, name, password),
        }
    }

    /// The private key of a name, if an engine is asked for it: the one of `-engine`, or the one that a URI names.
    fn engine_key(&self, option: &str, name: &str) -> Option<Result<PKey<Private>>> {
        let named = name
            .strip_prefix("org.openssl.engine:")
            .and_then(|rest| rest.split_once(':'));
        if let Some((id, key)) = named {
            let engine = start_engine(self.kinds, id);
            return Some(engine.and_then(|engine| self.key_of(&engine, option, key)));
        }
        let engine = self.engine.as_ref().filter(|_| self.engine_keys)?;
        Some(self.key_of(engine, option, name))
    }

    /// A private key that an engine keeps.
    fn key_of(&self, engine: &Engine, option: &str, name: &str) -> Result<PKey<Private>> {
        engine.key(name).map_err(|stack| {
            let why = reasons_text(&crate::ossl::error::entries(&stack));
            let message = format!("the engine has no key \"{name}\": {why}");
            Error::failed_with(self.kinds.read, [option, name], message)
        })
    }

    /// The properties that algorithms must have, in words.
    pub(super) fn query(&self) -> Option<&str> {
        self.properties.as_deref()
    }

    /// The properties that algorithms must have, as OpenSSL takes them.
    pub(super) fn properties(&self) -> Result<Option<CString>> {
        let made = self.properties.as_deref().map(CString::new).transpose();
        made.map_err(|_| {
            self.kinds
                .refuse("-propquery", "properties can't hold a zero byte")
        })
    }

    /// The digest of a name.
    pub(super) fn digest(&self, name: &str) -> Result<Md> {
        Md::fetch(None, name, self.properties.as_deref()).map_err(|_| {
            self.kinds
                .refuse("-md", format!("unknown digest \"{name}\""))
        })
    }

    /// The cipher of a name, in any of its spellings; `None` if there is none.
    pub(super) fn cipher(&self, name: &str) -> Option<Cipher> {
        [name.to_owned(), name.replace('_', "-")]
            .iter()
            .find_map(|name| Cipher::fetch(None, name, self.properties.as_deref()).ok())
    }
}

/// Whether the word of `-keyform` says that an engine keeps the key; which form another key has shows in its content.
fn is_engine_form(kinds: Kinds, word: &str) -> Result<bool> {
    match word.to_ascii_uppercase().as_str() {
        "ENGINE" => Ok(true),
        "PEM" | "DER" | "P12" | "PKCS12" => Ok(false),
        _ => Err(kinds.refuse(
            "-keyform",
            format!("bad -keyform \"{word}\": must be PEM, DER, P12, or ENGINE"),
        )),
    }
}

/// Starts an engine.
fn start_engine(kinds: Kinds, name: &str) -> Result<Engine> {
    let id =
        CString::new(name).map_err(|_| kinds.refuse("-engine", "a name can't hold a zero byte"))?;
    let failed = |stack: ErrorStack| {
        let doing = format!("can't start the engine \"{name}\"");
        refused_option(kinds, "-engine", &doing, &stack)
    };
    Engine::start(&id).map_err(failed)?.ok_or_else(|| {
        let version = openssl::version::version();
        let message = format!("{version} has no engines; releases before 4.0 have them");
        kinds.refuse("-engine", message)
    })
}

/// Carries a `-provparam` out.
fn set_parameter(kinds: Kinds, word: &str) -> Result<()> {
    let bad = || {
        kinds.refuse(
            "-provparam",
            "-provparam takes provider:name=value or name=value",
        )
    };
    let (left, value) = word.split_once('=').ok_or_else(bad)?;
    let (only, name) = match left.split_once(':') {
        Some((only, name)) => (Some(only), name),
        None => (None, left),
    };
    if name.is_empty() {
        return Err(bad());
    }
    let text = |text: &str| CString::new(text).map_err(|_| bad());
    let (name, value) = (text(name)?, text(value)?);
    let chosen = only.map(text).transpose()?;
    let outcome = library::set_provider_parameter(chosen.as_deref(), &name, &value);
    let Some(outcome) = outcome else {
        let version = openssl::version::version();
        let message = format!("{version} can't set parameters of providers; 3.5 and later can");
        return Err(kinds.refuse("-provparam", message));
    };
    let doing = "can't set the provider's parameter";
    match outcome.map_err(|stack| refused_option(kinds, "-provparam", doing, &stack))? {
        0 => {
            let message = format!("no provider \"{}\" is loaded", only.unwrap_or_default());
            Err(kinds.refuse("-provparam", message))
        }
        _ => Ok(()),
    }
}

/// The error for an option that OpenSSL refuses.
fn refused_option(kinds: Kinds, option: &str, doing: &str, stack: &ErrorStack) -> Error {
    let why = reasons_text(&crate::ossl::error::entries(stack));
    kinds.refuse(option, format!("{doing}: {why}"))
}

/// The error for a failure of OpenSSL.
fn refused(reason: Reason, doing: &str, stack: &ErrorStack) -> Error {
    let why = reasons_text(&crate::ossl::error::entries(stack));
    Error::failed(reason, format!("{doing}: {why}"))
}
