//! The option engine: tables that say everything about a command's options, and the parser that works by them.
//!
//! An option exists in one place, a line of an `options!` block. Parsing, the wording of errors, `tls::describe`,
//! the check of the manual pages and the trivial tests all read that line. Pure: std and `crate::error` only.

#![forbid(unsafe_code)]

pub(crate) mod groups;
pub(crate) mod kinds;
mod macros;
mod parse;
mod usage;

pub(crate) use macros::options;
pub(crate) use parse::{Given, Word};
pub(crate) use usage::alternatives;

/// Which end of a connection an option matters to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The end that connects.
    Client,
    /// The end that accepts.
    Server,
    /// Either.
    Both,
}

impl Side {
    /// The word that `tls::describe` shows.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
        }
    }
}

/// Who carries an option out, which is how `tls::socket` knows where to pass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Tcl's own `socket` command.
    Socket,
    /// `tls::import`.
    Import,
    /// The command that takes the option.
    Command,
}

impl Place {
    /// The word that `tls::describe` shows.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Import => "import",
            Self::Command => "command",
        }
    }
}

/// All that is known about one option.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The name with its dash.
    pub(crate) name: &'static str,
    /// Other spellings that mean the same.
    pub(crate) aliases: &'static [&'static str],
    /// What kind of value it takes, in a word: `boolean`, `list`, ….
    pub(crate) kind: &'static str,
    /// Whether a value follows; a flag has none.
    pub(crate) takes_value: bool,
    /// Which end it matters to.
    pub(crate) side: Side,
    /// Who carries it out.
    pub(crate) place: Place,
    /// The first version of the package, in any of its dialects, that has it.
    pub(crate) since: &'static str,
    /// The default, in words a manual page could print.
    pub(crate) default: &'static str,
    /// Whether the value must not be shown in any message.
    pub(crate) secret: bool,
    /// What it does, in one line.
    pub(crate) help: &'static str,
}

impl Spec {
    /// Whether a word of the command line names this option.
    pub(crate) fn is_named(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }
}

/// The options of one command.
#[derive(Debug)]
pub(crate) struct Table {
    /// The command's name, e.g. `tls::import`.
    pub(crate) command: &'static str,
    /// The groups of options it takes; several commands may share a group.
    pub(crate) groups: &'static [&'static [Spec]],
    /// How this command says that an option's value is missing.
    pub(crate) missing: Missing,
}

/// The two wordings that callers know for an option without its value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing {
    /// `no argument given for -x option`
    NoArgument,
    /// `"-x" option must be followed by value`
    MustBeFollowed,
}

impl Table {
    /// All options in table order.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &'static Spec> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// The option that a word names.
    pub(crate) fn find(&self, word: &str) -> Option<&'static Spec> {
        self.specs().find(|spec| spec.is_named(word))
    }
}
