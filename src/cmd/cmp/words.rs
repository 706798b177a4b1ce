//! The words of `tls::cmp`: the command line, and behind it the sections of a configuration.

use super::inputs::option_error;
use super::table::{Generic, TABLE};
use crate::cmp::names::items;
use crate::error::{Error, Reason, Result};
use crate::opts::groups::Help;
use crate::opts::{Given, Spec};
use crate::ossl::conf::Conf;
use crate::tcl::{Interp, Obj, files};
use crate::x509::extensions;

/// The options that a configuration can't give: those that lead to it, and those that are the caller's.
const NOT_FROM_SECTIONS: &[&str] = &[
    "-help",
    "-config",
    "-section",
    "-command",
    "-info",
    "-password",
    "-ca",
    "-ca_options",
    "-secrets",
    "-approve",
    "-report",
];

/// The words and the configuration.
pub(super) struct Words {
    /// The options, those of the configuration first.
    pub(super) given: Given<Obj>,
    /// The configuration.
    pub(super) conf: Option<Conf>,
    /// Whether a real server is wanted.
    pub(super) serves: bool,
}

impl Words {
    /// Takes the words apart and adds what the configuration says.
    pub(super) fn parse(interp: Interp<'_>, words: &[Obj]) -> Result<Self> {
        let serves = words.first().is_some_and(|word| word.as_text() == "serve");
        let words = without_dash(words);
        let given = TABLE.parse(&words)?;
        let generic = Generic::read(&given)?;
        if Help::read(&given)?.help.is_some() {
            return Ok(Self {
                given,
                conf: None,
                serves,
            });
        }
        let conf = configuration(interp, generic.config.as_deref())?;
        let section = generic.section;
        let Some(conf) = conf else {
            return match section.filter(|names| !names.is_empty()) {
                Some(_) => Err(option_error("-section", "-section without a configuration")),
                None => Ok(Self {
                    given,
                    conf: None,
                    serves,
                }),
            };
        };
        let mut all = from_sections(&conf, section.as_deref())?;
        all.extend(words);
        Ok(Self {
            given: TABLE.parse(&all)?,
            conf: Some(conf),
            serves,
        })
    }

    /// The first of some options that is given, and not emptied.
    pub(super) fn first_of(&self, options: &[&'static str]) -> Option<&'static str> {
        let is_set = |option: &&&str| {
            let given = self.given.all().rev().find(|one| one.spec.name == **option);
            given.is_some_and(|one| match &one.value {
                Some(value) => !value.as_text().is_empty(),
                None => true,
            })
        };
        options.iter().find(is_set).copied()
    }
}

/// The words with a command in front turned into an option.
fn without_dash(words: &[Obj]) -> Vec<Obj> {
    let Some((first, rest)) = words.split_first() else {
        return Vec::new();
    };
    let text = first.as_text();
    match &*text {
        "ir" | "cr" | "kur" | "p10cr" | "rr" | "genm" => {
            let mut all = vec![Obj::text("-cmd"), first.clone()];
            all.extend(rest.iter().cloned());
            all
        }
        "help" => vec![Obj::text("-help")],
        "serve" => rest.to_vec(),
        _ => words.to_vec(),
    }
}

/// The configuration: the one that is given, or the library's own if it is there.
fn configuration(interp: Interp<'_>, option: Option<&str>) -> Result<Option<Conf>> {
    let read = |content: Vec<u8>, name: &str| {
        let conf = extensions::configuration(&content, name);
        conf.map(Some).map_err(|problem| {
            Error::failed_with(Reason::CmpRead, ["-config", name], problem.to_string())
        })
    };
    match option {
        Some("") => Ok(None),
        Some(text) if text.contains('\n') => read(text.as_bytes().to_vec(), "configuration text"),
        Some(name) if interp.is_safe() => {
            let message = format!("couldn't open \"{name}\": a safe interpreter has no files");
            Err(Error::failed_with(
                Reason::CmpRead,
                ["-config", name],
                message,
            ))
        }
        Some(name) => match files::read(name) {
            Ok(content) => read(content, name),
            Err(error) => Err(Error::failed_with(
                Reason::CmpRead,
                ["-config", name],
                error.message(),
            )),
        },
        None if interp.is_safe() => Ok(None),
        None => {
            let name = std::env::var("OPENSSL_CONF").unwrap_or_else(|_| {
                let folder = openssl::version::dir();
                let folder = folder.trim_start_matches("OPENSSLDIR: ").trim_matches('"');
                format!("{folder}/openssl.cnf")
            });
            match files::read(&name) {
                Ok(content) => read(content, &name),
                Err(_) => Ok(None),
            }
        }
    }
}

/// The options that sections give. The last section that has an option counts, then `[default]`.
fn from_sections(conf: &Conf, names: Option<&str>) -> Result<Vec<Obj>> {
    let wanted: Vec<&str> = match names {
        None => vec!["cmp"],
        Some("") => Vec::new(),
        Some(names) => items(names).collect(),
    };
    let mut sections = Vec::new();
    for name in wanted.iter().rev() {
        match conf.section(name) {
            Some(section) => sections.push(section),
            None if names.is_none() => {}
            None => {
                let message = format!("the configuration has no section \"{name}\"");
                return Err(Error::failed_with(
                    Reason::CmpOption,
                    ["-section", name],
                    message,
                ));
            }
        }
    }
    let mut words = Vec::new();
    for spec in TABLE.specs() {
        if NOT_FROM_SECTIONS.contains(&spec.name) {
            continue;
        }
        let plain = spec.name.trim_start_matches('-');
        // In a section a later line counts more.
        let own = sections.iter().find_map(|section| {
            let found = section.iter().rev().find(|(name, _)| name == plain);
            found.map(|(_, value)| value.clone())
        });
        if let Some(value) = own.or_else(|| conf.value(None, plain)) {
            words.extend(option_words(spec, value)?);
        }
    }
    Ok(words)
}

/// An option of a section as words of a command line.
fn option_words(spec: &Spec, value: String) -> Result<Vec<Obj>> {
    if spec.takes_value {
        return Ok(match value.is_empty() {
            true => Vec::new(),
            false => vec![Obj::text(spec.name), Obj::text(&value)],
        });
    }
    let value = value.trim();
    match value.parse::<i64>() {
        Ok(0) => Ok(Vec::new()),
        Ok(_) => Ok(vec![Obj::text(spec.name)]),
        Err(_) if value.is_empty() => Ok(Vec::new()),
        Err(_) => {
            let message = format!(
                "bad value \"{value}\" of {} in the configuration: must be 0 or 1",
                spec.name
            );
            Err(option_error(spec.name, message))
        }
    }
}

/// The summary of `-help`.
pub(super) fn help() -> String {
    TABLE.summary("cmp [options]")
}
