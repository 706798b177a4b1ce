//! The library as the options of a call want it: providers, properties, random numbers, configuration.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use openssl::cipher::Cipher;
use openssl::md::Md;
use openssl::provider::Provider;

use super::option_error;
use crate::cmd::pki::Inputs;
use crate::cms::refused;
use crate::error::{Reason, Result};
use crate::opts::{Given, Word};
use crate::ossl::library;
use crate::tcl::{Obj, files};

/// How many random bytes `-writerand` writes, as the program does.
const RANDOM: usize = 1024;

/// What was loaded for a call; it goes with the call.
pub(super) struct Library {
    /// The providers, which stay loaded as long as this.
    _providers: Vec<Provider>,
    /// The properties that algorithms must have.
    properties: Option<String>,
}

impl Library {
    /// Does what the options say, in their order.
    pub(super) fn load(inputs: &Inputs<'_>, given: &Given<Obj>) -> Result<Self> {
        let mut providers = Vec::new();
        let mut properties = None;
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
                    providers.push(provider);
                }
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
                "-keyform" => check_key_form(&value)?,
                _ => {}
            }
        }
        Ok(Self {
            _providers: providers,
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

/// Checks the word of `-keyform`; which form a key has shows in its content.
fn check_key_form(word: &str) -> Result<()> {
    match word.to_ascii_uppercase().as_str() {
        "PEM" | "DER" | "P12" | "PKCS12" => Ok(()),
        _ => Err(option_error(
            "-keyform",
            format!("bad -keyform \"{word}\": must be PEM, DER, or P12"),
        )),
    }
}
