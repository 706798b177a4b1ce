//! Words to options: finds each word's option, pairs it with its value, and lets a group take its values.

use std::borrow::Cow;

use crate::error::Result;

use super::kinds::Kind;
use super::{Missing, Spec, Table};

/// A word of a command line. Tcl's objects are words; `&str` is one for unit tests.
pub(crate) trait Word: Clone + std::fmt::Debug {
    /// The text.
    fn text(&self) -> Cow<'_, str>;
    /// The bytes, where the word is a byte array or can be one: every character below 256.
    fn bytes(&self) -> Option<Vec<u8>>;
    /// The elements, where the word is a list.
    fn list(&self) -> Option<Vec<Self>>;
    /// The truth value, where the word is a boolean as Tcl spells it.
    fn boolean(&self) -> Option<bool>;
    /// The number, where the word is an integer.
    fn integer(&self) -> Option<i64>;
}

/// One option of a command line with its value.
#[derive(Clone, Debug)]
pub(crate) struct Setting<W> {
    /// The option.
    pub(crate) spec: &'static Spec,
    /// The word behind it; a flag has none.
    pub(crate) value: Option<W>,
}

impl<W: Word> Setting<W> {
    /// The text behind it, which is empty for a flag.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        self.value.as_ref().map(Word::text).unwrap_or_default()
    }
}

/// A parsed command line: every option that was given, in order.
#[derive(Clone, Debug)]
pub(crate) struct Given<W> {
    /// The options, in the order of the command line.
    settings: Vec<Setting<W>>,
}

impl Table {
    /// Parses the words of a command line that consists of options alone.
    pub(crate) fn parse<W: Word>(&self, words: &[W]) -> Result<Given<W>> {
        let mut settings = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = word.text();
            let spec = self.find(&name).ok_or_else(|| self.bad_option(&name))?;
            let value = match spec.takes_value {
                true => Some(
                    words
                        .next()
                        .ok_or_else(|| self.missing_value(&name))?
                        .clone(),
                ),
                false => None,
            };
            settings.push(Setting { spec, value });
        }
        Ok(Given { settings })
    }
}

impl<W: Word> Given<W> {
    /// Every option that was given, in order.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Setting<W>> {
        self.settings.iter()
    }

    /// All values of the option `name` (its main spelling), in order.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.all()
            .filter(|setting| setting.spec.name == name)
            .map(|setting| setting.text().into_owned())
            .collect()
    }

    /// Which of some options (their main spellings) comes last.
    pub(crate) fn last_of(&self, names: &[&str]) -> Option<&Setting<W>> {
        self.all()
            .rfind(|setting| names.contains(&setting.spec.name))
    }

    /// Whether the option `name` (its main spelling) was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.settings
            .iter()
            .any(|setting| setting.spec.name == name)
    }

    /// The value of the option `name` (its main spelling), the last one where it was given several times.
    pub(crate) fn last<K: Kind>(&self, name: &str) -> Result<Option<K::Out<W>>> {
        let mut found = None;
        for setting in self
            .settings
            .iter()
            .filter(|setting| setting.spec.name == name)
        {
            // Earlier values are checked as well: a bad one is an error wherever it stands.
            found = Some(K::read(setting.spec, setting.value.as_ref())?);
        }
        Ok(found)
    }
}

/// A word for unit tests, without Tcl's quoting: a list is separated by blanks.
#[cfg(test)]
impl Word for &str {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        Some(self.as_bytes().to_vec())
    }

    fn list(&self) -> Option<Vec<Self>> {
        match self.contains('{') {
            true => None,
            false => Some(self.split_whitespace().collect()),
        }
    }

    fn boolean(&self) -> Option<bool> {
        match *self {
            "1" | "yes" | "true" | "on" => Some(true),
            "0" | "no" | "false" | "off" => Some(false),
            _ => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        self.parse().ok()
    }
}

impl Missing {
    /// The sentence for the option `name`.
    pub(crate) fn sentence(self, name: &str) -> String {
        match self {
            Self::NoArgument => format!("no argument given for {name} option"),
            Self::MustBeFollowed => format!("\"{name}\" option must be followed by value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opts::options;

    options! {
        /// Two options to try the engine with.
        pub(crate) struct Trial, TRIAL {
            names: List = "-names" | "-words", Both, Import, "3.0", "none", "Some names";
            truth: Bool = "-truth", Client, Import, "3.0", "false", "A truth";
        }
    }

    static TABLE: Table = Table {
        command: "trial",
        groups: &[TRIAL],
        missing: Missing::NoArgument,
    };

    #[test]
    fn values_arrive_by_either_spelling_and_the_last_wins() {
        let given = TABLE
            .parse(&["-names", "a", "-truth", "yes", "-words", "b c"])
            .unwrap();
        let trial = Trial::read(&given).unwrap();
        assert_eq!(trial.names, Some(vec!["b", "c"]));
        assert_eq!(trial.truth, Some(true));
    }

    #[test]
    fn what_is_not_given_is_none() {
        let trial = Trial::read(&TABLE.parse::<&str>(&[]).unwrap()).unwrap();
        assert!(trial.names.is_none() && trial.truth.is_none());
    }

    #[test]
    fn an_unknown_option_is_named_with_the_ones_there_are() {
        let error = TABLE.parse(&["-x", "1"]).unwrap_err();
        assert_eq!(
            error.message(),
            "bad option \"-x\": must be -names, -truth, or -words"
        );
        assert_eq!(error.code(), ["TCL", "LOOKUP", "INDEX", "option", "-x"]);
    }

    #[test]
    fn a_missing_value_is_told() {
        let error = TABLE.parse(&["-truth"]).unwrap_err();
        assert_eq!(error.message(), "no argument given for -truth option");
    }

    #[test]
    fn an_early_bad_value_is_an_error_even_if_a_later_one_is_good() {
        let given = TABLE.parse(&["-truth", "maybe", "-truth", "1"]).unwrap();
        let error = Trial::read(&given).unwrap_err();
        assert_eq!(
            error.message(),
            "expected boolean value but got \"maybe\" for option \"-truth\""
        );
    }
}
