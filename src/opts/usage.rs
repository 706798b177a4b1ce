//! The wording of usage errors, as Tcl words them.

use crate::error::Error;

use super::{Spec, Table};

impl Table {
    /// `bad option "-x": must be -a, -b, or -c`
    pub(crate) fn bad_option(&self, word: &str) -> Error {
        let mut names: Vec<&str> = self
            .specs()
            .flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()))
            .collect();
        names.sort_unstable();
        Error::usage(
            ["TCL", "LOOKUP", "INDEX", "option", word],
            format!("bad option \"{word}\": must be {}", alternatives(&names)),
        )
    }

    /// The summary that `-help` returns: how the command is called, and a line for each name of an option.
    pub(crate) fn summary(&self, usage: &str) -> String {
        let mut text = format!("Usage: {usage}\n");
        for spec in self.specs() {
            for name in std::iter::once(&spec.name).chain(spec.aliases) {
                let left = match spec.takes_value {
                    true => format!("{name} {}", spec.kind),
                    false => (*name).to_owned(),
                };
                text.push_str(&format!(" {left:<26} {}\n", spec.help));
            }
        }
        text
    }

    /// The error for an option without its value.
    pub(crate) fn missing_value(&self, name: &str) -> Error {
        Error::usage(["TCL", "WRONGARGS"], self.missing.sentence(name))
    }
}

impl Spec {
    /// `expected WHAT but got "VALUE" for option "-x"`; a secret option's value is left out.
    pub(crate) fn bad_value(&self, code: &str, what: &str, value: &str) -> Error {
        let shown = match self.secret {
            true => String::new(),
            false => format!(" but got \"{}\"", shortened(value)),
        };
        Error::usage(
            ["TCL", "VALUE", code],
            format!("expected {what}{shown} for option \"{}\"", self.name),
        )
    }
}

/// `a`, `a or b`, `a, b, or c`: how Tcl lists what a word could have been.
pub(crate) fn alternatives(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [first, second] => format!("{first} or {second}"),
        [most @ .., last] => format!("{}, or {last}", most.join(", ")),
    }
}

/// A value for an error message: cut after 50 characters as Tcl cuts its own.
fn shortened(value: &str) -> String {
    match value.char_indices().nth(50) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_listed_as_tcl_lists_them() {
        assert_eq!(alternatives(&["a"]), "a");
        assert_eq!(alternatives(&["a", "b"]), "a or b");
        assert_eq!(alternatives(&["a", "b", "c"]), "a, b, or c");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = "ä".repeat(60);
        assert_eq!(shortened(&long), format!("{}...", "ä".repeat(50)));
    }
}
