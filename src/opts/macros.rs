//! `options!`: one block defines the table of a group of options and the struct that holds their values.

/// Defines a group of options.
///
/// A line is `field: Kind = "-name" | "-alias", side, place, since, default, help;`, with `secret` after the kind's
/// name for a value that must never be shown. The field becomes `Option<value>`, `None` where the option isn't given.
/// The form with `table` in place of `struct` has no fields: somebody else reads these options, in an order of his own.
macro_rules! options {
    (
        $(#[$doc:meta])*
        $vis:vis struct $group:ident, $table:ident {
            $($field:ident: $kind:ident $($secret:ident)? = $name:literal $(| $alias:literal)*,
                $side:ident, $place:ident, $since:literal, $default:literal, $help:literal;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        $vis struct $group<W: $crate::opts::Word> {
            $(#[doc = $help] $vis $field: Option<<$crate::opts::kinds::$kind as $crate::opts::kinds::Kind>::Out<W>>,)+
        }

        $crate::opts::options! {
            #[doc = concat!("The table of [`", stringify!($group), "`].")]
            $vis table $table {
                $($kind $($secret)? = $name $(| $alias)*, $side, $place, $since, $default, $help;)+
            }
        }

        impl<W: $crate::opts::Word> $group<W> {
            /// Takes the values of this group out of a parsed command line; of an option given twice the last counts.
            $vis fn read(given: &$crate::opts::Given<W>) -> $crate::error::Result<Self> {
                Ok(Self { $($field: given.last::<$crate::opts::kinds::$kind>($name)?,)+ })
            }
        }
    };
    (
        $(#[$doc:meta])*
        $vis:vis table $table:ident {
            $($kind:ident $($secret:ident)? = $name:literal $(| $alias:literal)*,
                $side:ident, $place:ident, $since:literal, $default:literal, $help:literal;)+
        }
    ) => {
        $(#[$doc])*
        $vis static $table: &[$crate::opts::Spec] = &[
            $($crate::opts::Spec {
                name: $name,
                aliases: &[$($alias),*],
                kind: <$crate::opts::kinds::$kind as $crate::opts::kinds::Kind>::WORD,
                takes_value: <$crate::opts::kinds::$kind as $crate::opts::kinds::Kind>::TAKES_VALUE,
                side: $crate::opts::Side::$side,
                place: $crate::opts::Place::$place,
                since: $since,
                default: $default,
                secret: $crate::opts::options!(@secret $($secret)?),
                help: $help,
            },)+
        ];
    };
    (@secret secret) => { true };
    (@secret) => { false };
}

pub(crate) use options;
