//! The kinds of values that options take: each reads a word, or says in Tcl's words what it expected.

use crate::error::Result;

use super::Spec;
use super::parse::Word;

/// A kind of option value.
pub(crate) trait Kind {
    /// What a value becomes.
    type Out<W: Word>: Clone + std::fmt::Debug;
    /// The kind in a word, for `tls::describe` and the manual.
    const WORD: &'static str;
    /// Whether a value follows the option.
    const TAKES_VALUE: bool = true;

    /// Reads the value of `spec`; `word` is `None` only for a kind that takes none.
    fn read<W: Word>(spec: &Spec, word: Option<&W>) -> Result<Self::Out<W>>;
}

/// Defines a kind whose value always has a word.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident, $word:literal => $out:ty, |$spec:pat_param, $value:pat_param| $read:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub(crate) struct $kind;

            impl Kind for $kind {
                type Out<W: Word> = $out;
                const WORD: &'static str = $word;

                fn read<W: Word>(spec: &Spec, word: Option<&W>) -> Result<$out> {
                    let Some(word) = word else {
                        return Err(spec.bad_value("EMPTY", "a value", ""));
                    };
                    let ($spec, $value) = (spec, word);
                    $read
                }
            }
        )+
    };
}

kinds! {
    /// A boolean in any of Tcl's spellings.
    Bool, "boolean" => bool, |spec, word| word
        .boolean()
        .ok_or_else(|| spec.bad_value("BOOLEAN", "boolean value", &word.text()));
    /// An integer.
    Int, "integer" => i64, |spec, word| word
        .integer()
        .ok_or_else(|| spec.bad_value("NUMBER", "integer", &word.text()));
    /// Text; an empty one is the same as none given, as callers of the older packages rely on.
    Text, "string" => String, |_, word| Ok(word.text().into_owned());
    /// A name in Tcl's file system; empty is the same as none given.
    File, "file" => String, |_, word| Ok(word.text().into_owned());
    /// A list of texts.
    List, "list" => Vec<W>, |spec, word| word
        .list()
        .ok_or_else(|| spec.bad_value("LIST", "list", &word.text()));
    /// A certificate, key or the like: PEM text, DER bytes, or the name of a file that holds it; empty is the same as
    /// none given.
    Material, "material" => W, |_, word| Ok(word.clone());
    /// Bytes.
    Bytes, "bytes" => Vec<u8>, |spec, word| word
        .bytes()
        .ok_or_else(|| spec.bad_value("BYTES", "bytes", &word.text()));
    /// A command prefix, to which words are appended; checked to be a list.
    Script, "script" => W, |spec, word| match word.list() {
        Some(_) => Ok(word.clone()),
        None => Err(spec.bad_value("LIST", "command prefix", &word.text())),
    };
    /// The name of an open channel.
    Channel, "channel" => W, |_, word| Ok(word.clone());
}

/// An option without a value.
#[derive(Debug)]
pub(crate) struct Flag;

impl Kind for Flag {
    type Out<W: Word> = ();
    const WORD: &'static str = "flag";
    const TAKES_VALUE: bool = false;

    fn read<W: Word>(_: &Spec, _: Option<&W>) -> Result<()> {
        Ok(())
    }
}
