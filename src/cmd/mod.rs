//! Floor 4: the commands. Each file has its option table on top, then short functions: words to typed options, a
//! call of a lower floor, a Tcl result.

#![forbid(unsafe_code)]

mod bytewise;
mod ca;
mod channel;
mod cmp;
mod cms;
#[cfg(debug_assertions)]
mod debug;
mod describe;
mod files;
mod import;
mod info;
mod later;
mod library;
mod misc;
mod pki;
mod result;
mod sink;
mod socket;
mod staged;
mod verification;

use crate::tcl::Interp;
use crate::tcl::command::Command;
#[cfg(fuzzing)]
pub(crate) use crate::{cmp::fuzzing as cmp_fuzzing, cms::fuzzing};

/// A command, and its options if it has any.
struct Entry {
    /// The command.
    command: Command,
    /// Its option table, for `tls::describe`.
    table: Option<&'static crate::opts::Table>,
}

/// Makes the list of commands.
macro_rules! commands {
    ($($(#[$when:meta])* $name:literal => $function:path $(, $table:path)?;)+) => {
        /// All commands of the package that aren't procedures of `library/`.
        static COMMANDS: &[Entry] = &[
            $($(#[$when])* Entry {
                command: Command { name: $name, function: $function },
                table: commands!(@table $($table)?),
            },)+
        ];
    };
    (@table $table:path) => { Some(&$table) };
    (@table) => { None };
}

commands! {
    "tls::authenticate" => channel::authenticate;
    "tls::build-info" => info::build_info;
    "tls::ca" => ca::ca, ca::table::TABLE;
    "tls::CheckValues" => import::check_values;
    "tls::ciphers" => info::ciphers;
    "tls::closewrite" => channel::closewrite;
    "tls::cms" => cms::cms, cms::table::TABLE;
    "tls::CmpAnswer" => cmp::answer;
    "tls::CmpAppend" => cmp::state::append;
    "tls::CmpDrop" => cmp::forget;
    "tls::CmpFacts" => cmp::office::facts;
    "tls::CmpFinish" => cmp::finish;
    "tls::CmpHasten" => channel::hasten;
    "tls::CmpHear" => cmp::office::hear;
    "tls::CmpKeep" => cmp::state::keep;
    "tls::CmpNext" => cmp::next;
    "tls::CmpPassword" => cmp::password;
    "tls::CmpReply" => cmp::reply;
    "tls::CmpSay" => cmp::office::say;
    "tls::CmpSever" => channel::sever;
    "tls::CmpStart" => cmp::start;
    "tls::connection" => channel::connection;
    #[cfg(debug_assertions)]
    "tls::Debug" => debug::debug;
    "tls::describe" => describe::describe;
    "tls::handshake" => channel::handshake;
    "tls::import" => import::import, import::TABLE;
    "tls::Import" => import::import_socket;
    "tls::LaterCopied" => later::copied;
    "tls::misc" => misc::misc;
    "tls::Prepare" => import::prepare;
    "tls::protocols" => info::protocols;
    "tls::shutdown" => channel::unimport;
    "tls::starttls" => import::import;
    "tls::status" => channel::status;
    "tls::unstack" => channel::unimport;
    "tls::unimport" => channel::unimport;
    "tls::version" => info::version;
}

/// Creates the commands in an interpreter. Which version of the package that makes is for `pkgIndex.tcl` to say.
pub(crate) fn register(interp: Interp<'_>) {
    interp.create_namespace("::tls");
    for entry in COMMANDS {
        interp.create_command(&entry.command);
    }
}
