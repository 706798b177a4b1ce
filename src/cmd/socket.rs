//! The options of `tls::socket` and `tls::init`, which are procedures of `library/tls.tcl` and ask for this table.

use crate::opts::groups::{IDENTITY, PROTOCOLS, TRUST};
use crate::opts::{Missing, Table, options};

use super::import::{PEER, ROLE};

options! {
    /// What the procedure does itself, and what it passes to Tcl's `socket`.
    pub(super) struct Socket, SOCKET {
        asynchronous: Flag = "-async", Client, Socket, "1.4", "off", "Connect in the background";
        autoservername: Bool = "-autoservername", Client, Command, "1.7", "true unless -servername is given",
            "Take the host argument as -servername";
        backlog: Int = "-backlog", Server, Socket, "3.0", "the system's", "Length of the queue of connections (Tcl 9)";
        myaddr: Text = "-myaddr", Both, Socket, "1.4", "any", "Local address";
        myport: Text = "-myport", Client, Socket, "1.4", "any", "Local port";
        reuseaddr: Bool = "-reuseaddr", Server, Socket, "3.0", "true", "Let the address be reused (Tcl 9)";
        reuseport: Bool = "-reuseport", Server, Socket, "3.0", "false", "Let several servers share the port (Tcl 9)";
        kind: Text = "-type", Client, Socket, "1.8", "none", "For replacements of Tcl's socket that know it";
    }
}

options! {
    /// The option that makes `tls::socket` a server.
    pub(super) struct Listen, LISTEN {
        server: Script = "-server", Server, Command, "1.4", "none",
            "Listen, and call this prefix with channel, address and port of each connection";
    }
}

/// The options of `tls::socket`.
pub(super) static TABLE: Table = Table {
    command: "tls::socket",
    groups: &[SOCKET, LISTEN, PEER, PROTOCOLS, IDENTITY, TRUST],
    missing: Missing::MustBeFollowed,
};

/// The options of `tls::init`: the defaults of `tls::socket`. `-server` means the role here, as in `tls::import`.
pub(super) static INIT: Table = Table {
    command: "tls::init",
    groups: &[SOCKET, ROLE, PEER, PROTOCOLS, IDENTITY, TRUST],
    missing: Missing::MustBeFollowed,
};
