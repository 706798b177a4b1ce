//! All options of `tls::ca`, in one table: its own, and those that each file here has on top.

use super::ask::ASKING;
use super::bundle::BUNDLING;
use super::ocsp::ANSWERING;
use super::options::{MAKING, OPERATIONS, PLACE, REPORTING, REVOKING};
use super::shortcuts::SHORTCUTS;
use super::surroundings::SURROUNDINGS;
use super::verify::VERIFYING;
use crate::opts::groups::{HELP, KEY_PASSWORD, LIBRARY, OUTPUT, PASSWORD_SCRIPT};
use crate::opts::{Missing, Table};

/// The options of `tls::ca`.
pub(in crate::cmd) static TABLE: Table = Table {
    command: "tls::ca",
    groups: &[
        HELP,
        OPERATIONS,
        ASKING,
        SHORTCUTS,
        BUNDLING,
        VERIFYING,
        ANSWERING,
        OUTPUT,
        REPORTING,
        PLACE,
        KEY_PASSWORD,
        PASSWORD_SCRIPT,
        MAKING,
        REVOKING,
        LIBRARY,
        SURROUNDINGS,
    ],
    missing: Missing::MustBeFollowed,
};
