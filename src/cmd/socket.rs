//! The options of `tls::socket` and `tls::init`, which are procedures of `library/tls.tcl` and ask for this table.

use crate::opts::groups::{IDENTITY, PROTOCOLS, TRUST};
use crate::opts::{Missing, Table, options};

use super::import::{MODEL, PEER, ROLE, SESSIONS};

options! {
    /// What the procedure does itself, and what it passes to Tcl's `socket`.
    table SOCKET {
        Flag = "-async", Client, Socket, "1.4", "off", "Connect in the background";
        Bool = "-autoservername", Client, Command, "1.7", "true unless -servername is given",
            "Take the host argument as -servername";
        Int = "-backlog", Server, Socket, "3.0", "the system's", "Length of the queue of connections (Tcl 9)";
        Text = "-myaddr", Both, Socket, "1.4", "any", "Local address";
        Text = "-myport", Client, Socket, "1.4", "any", "Local port";
        Bool = "-reuseaddr", Server, Socket, "3.0", "true", "Let the address be reused (Tcl 9)";
        Bool = "-reuseport", Server, Socket, "3.0", "false", "Let several servers share the port (Tcl 9)";
        Text = "-type", Client, Socket, "1.8", "none", "For replacements of Tcl's socket that know it";
    }
}

options! {
    /// The option that makes `tls::socket` a server.
    table LISTEN {
        Script = "-server", Server, Command, "1.4", "none",
            "Listen, and call this prefix with channel, address and port of each connection";
    }
}

/// The options of `tls::socket`.
pub(super) static TABLE: Table = Table {
    command: "tls::socket",
    groups: &[
        SOCKET, LISTEN, MODEL, PEER, PROTOCOLS, IDENTITY, SESSIONS, TRUST,
    ],
    missing: Missing::MustBeFollowed,
};

/// The options of `tls::init`: the defaults of `tls::socket`. `-server` means the role here, as in `tls::import`.
pub(super) static INIT: Table = Table {
    command: "tls::init",
    groups: &[
        SOCKET, ROLE, MODEL, PEER, PROTOCOLS, IDENTITY, SESSIONS, TRUST,
    ],
    missing: Missing::MustBeFollowed,
};
