//! `tls::describe`: the option tables and the error list as data, for the library's scripts, the manual and the tests.

use crate::error::{Error, Reason, Result};
use crate::opts::{Spec, Table, alternatives};
use crate::tcl::{Interp, Obj};

use super::{COMMANDS, cmp, socket};

/// `tls::describe ?command|errors?`: the commands that have options; one command's options, a dict of dicts; or all
/// errorCode words that follow `TLS`, with their meaning.
pub(super) fn describe(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    match words {
        [] => Ok(Obj::list(tables().map(|table| Obj::text(table.command)))),
        [word] if word.as_text() == "errors" => {
            Ok(Obj::dict(Reason::ALL.iter().map(|reason| {
                (reason.words(), Obj::text(reason.meaning().trim()))
            })))
        }
        [word] => {
            let name = word.as_text();
            let wanted = name.strip_prefix("::").unwrap_or(&name);
            let table = tables()
                .find(|table| table.command == wanted)
                .ok_or_else(|| unknown(&name))?;
            Ok(Obj::dict(
                table.specs().map(|spec| (spec.name, option(spec))),
            ))
        }
        _ => Err(Error::wrong_args("tls::describe ?command?")),
    }
}

/// The option tables, those of the library's procedures included.
fn tables() -> impl Iterator<Item = &'static Table> {
    COMMANDS.iter().filter_map(|entry| entry.table).chain([
        &cmp::table::TABLE,
        &socket::TABLE,
        &socket::INIT,
    ])
}

/// One option as a dict.
fn option(spec: &Spec) -> Obj {
    Obj::dict([
        (
            "aliases",
            Obj::list(spec.aliases.iter().map(|alias| Obj::text(alias))),
        ),
        ("kind", Obj::text(spec.kind)),
        ("value", Obj::bool(spec.takes_value)),
        ("side", Obj::text(spec.side.word())),
        ("place", Obj::text(spec.place.word())),
        ("since", Obj::text(spec.since)),
        ("default", Obj::text(spec.default)),
        ("secret", Obj::bool(spec.secret)),
        ("help", Obj::text(spec.help)),
    ])
}

/// The error for a command that has no options.
fn unknown(name: &str) -> Error {
    let names: Vec<&str> = tables()
        .map(|table| table.command)
        .chain(["errors"])
        .collect();
    let message = format!("bad command \"{name}\": must be {}", alternatives(&names));
    Error::usage(["TCL", "LOOKUP", "INDEX", "command", name], message)
}
