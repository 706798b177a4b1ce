//! The words of `tls::ca`: options, perhaps without the operation's dash, and requests behind everything.

use crate::error::Result;
use crate::opts::{Given, Table};
use crate::tcl::Obj;

use super::inputs::option_error;

/// Operations that nothing else goes with.
const ALONE: &[&str] = &[
    "-check",
    "-newca",
    "-newcert",
    "-newreq",
    "-newreq-nodes",
    "-ocsp",
    "-pkcs12",
    "-precert",
    "-rebuild",
    "-verify",
];

/// The other operations.
const TOGETHER: &[&str] = &[
    "-crl",
    "-export",
    "-gencrl",
    "-help",
    "-import",
    "-revoke",
    "-sign",
    "-signCA",
    "-signcert",
    "-status",
    "-updatedb",
    "-valid",
    "-xsign",
];

/// Whether this is an operation, which may stand first without its dash.
fn is_operation(word: &str) -> bool {
    ALONE.contains(&word) || TOGETHER.contains(&word)
}

/// The words, taken apart.
pub(super) struct Words {
    /// The options.
    pub(super) given: Given<Obj>,
    /// The requests behind everything.
    pub(super) requests: Vec<String>,
}

impl Words {
    /// Takes the words apart.
    pub(super) fn parse(table: &'static Table, words: &[Obj]) -> Result<Self> {
        let words = dashed(words);
        let mut at = 0;
        while let Some((option, next)) = option_at(table, &words, at)? {
            at = next;
            if option == "-infiles" {
                break;
            }
        }
        let (options, requests) = words.split_at(at.min(words.len()));
        let given = table.parse(options)?;
        check_alone(&given)?;
        Ok(Self {
            given,
            requests: requests
                .iter()
                .map(|word| word.as_text().into_owned())
                .collect(),
        })
    }
}

/// The words, the first with the dash that an operation may lack.
fn dashed(words: &[Obj]) -> Vec<Obj> {
    let mut words = words.to_vec();
    if let Some(first) = words.first_mut() {
        let dashed = format!("-{}", first.as_text());
        if is_operation(&dashed) {
            *first = Obj::text(&dashed);
        }
    }
    words
}

/// The option at a place, and the place behind it and its value; nothing where the requests begin.
fn option_at(
    table: &'static Table,
    words: &[Obj],
    at: usize,
) -> Result<Option<(&'static str, usize)>> {
    let Some(word) = words.get(at) else {
        return Ok(None);
    };
    let text = word.as_text();
    match table.find(&text) {
        Some(spec) => Ok(Some((spec.name, at + 1 + usize::from(spec.takes_value)))),
        None if text.starts_with('-') && text != "-" && !text.starts_with("-----BEGIN ") => {
            Err(table.bad_option(&text))
        }
        None => Ok(None),
    }
}

/// The words without one of the options and its value.
pub(super) fn without(table: &'static Table, words: &[Obj], option: &str) -> Vec<Obj> {
    let words = dashed(words);
    let mut left = Vec::new();
    let mut at = 0;
    while let Ok(Some((name, next))) = option_at(table, &words, at) {
        let end = next.min(words.len());
        if name != option {
            left.extend_from_slice(words.get(at..end).unwrap_or_default());
        }
        at = end;
        if name == "-infiles" {
            break;
        }
    }
    left.extend_from_slice(words.get(at..).unwrap_or_default());
    left
}

/// Refuses a second operation beside one that does its work alone.
fn check_alone(given: &Given<Obj>) -> Result<()> {
    let names = given.all().map(|setting| setting.spec.name);
    let mut operations: Vec<&str> = names
        .filter(|name| is_operation(name) && *name != "-help")
        .collect();
    operations.dedup();
    let alone = operations.iter().find(|name| ALONE.contains(name));
    match alone {
        Some(alone) if operations.len() > 1 => {
            let message = format!(
                "{alone} goes with no other operation: {}",
                operations.join(", ")
            );
            Err(option_error(alone, message))
        }
        _ => Ok(()),
    }
}
