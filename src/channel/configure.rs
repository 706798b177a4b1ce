//! The channel options of a TLS layer. What isn't one of them is the channel's below.

use openssl::ssl::{NameType, SslCipherRef};

use crate::context::withdraw_session;
use crate::error::{Error, Reason};
use crate::ossl::ssl_state;
use crate::tcl::{Interp, Obj};

use super::TlsChannel;

/// The options that a listing shows.
pub(super) const NAMES: &[&str] = &[
    "-alpn",
    "-cipher",
    "-command",
    "-group",
    "-protocol",
    "-server",
    "-servername",
    "-session_reused",
    "-state",
    "-validatecommand",
    "-verifyresult",
];

/// Those of them that can be set.
pub(super) const SETTABLE: &[&str] = &["-command", "-validatecommand"];

/// The value of an option; `None` if it isn't one of ours.
pub(super) fn get(tls: &TlsChannel, name: &str) -> Option<String> {
    let ssl = tls.ssl();
    let open = tls.is_open();
    let scripts = || tls.callbacks.scripts();
    let prefix = |script: Option<crate::tcl::script::Script>| {
        script
            .map(|script| script.prefix().as_text().into_owned())
            .unwrap_or_default()
    };
    let lossy =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let flag = |set: bool| if set { "1" } else { "0" };
    // What the handshake decides.
    let agreed = |text: &str| if open { text } else { "" }.to_owned();
    Some(match name {
        "-alpn" => lossy(ssl.selected_alpn_protocol()),
        "-cipher" => agreed(ssl.current_cipher().map_or("", SslCipherRef::name)),
        "-command" => prefix(scripts().command),
        "-group" => agreed(&ssl_state::group(ssl)),
        "-protocol" => agreed(ssl.version_str()),
        "-server" => flag(ssl.is_server()).to_owned(),
        "-servername" => lossy(ssl.servername_raw(NameType::HOST_NAME)),
        "-session_reused" => agreed(flag(ssl.session_reused())),
        "-state" => ssl.state_string_long().to_owned(),
        "-validatecommand" => prefix(scripts().validate),
        "-verifyresult" => agreed(ssl.verify_result().error_string()),
        // Once the connection has failed, that is the channel's error; before, it is the socket's.
        "-error" => {
            let engine = tls.engine.try_borrow().ok()?;
            let failure = tls.worded(engine.failure()?.clone());
            // Who never got connected gets the words of a socket without TLS.
            match &failure {
                Error::Failed {
                    reason: Reason::HandshakeFailed,
                    details,
                    ..
                } if details.first().is_some_and(|kind| kind == "CONNECT") => {
                    details.get(1)?.clone()
                }
                _ => failure.message(),
            }
        }
        _ => return None,
    })
}

/// Sets an option; `None` if it isn't one of ours.
pub(super) fn set(
    tls: &TlsChannel,
    interp: Option<Interp<'_>>,
    name: &str,
    value: &str,
) -> Option<Result<(), Error>> {
    match (name, interp) {
        ("-command" | "-validatecommand", Some(interp)) => {
            let prefix = Obj::text(value);
            if prefix.as_list().is_none() {
                // What is no list is no script: the one that decides so far mustn't go for it.
                let message =
                    format!("expected command prefix but got \"{value}\" for option \"{name}\"");
                return Some(Err(Error::usage(["TCL", "VALUE", "LIST"], message)));
            }
            // A script that is to decide on the certificate must get to see it.
            if !tls.totals().has_begun() {
                withdraw_session(tls.ssl());
            }
            tls.callbacks.bind(interp, name, &prefix);
            Some(Ok(()))
        }
        _ if NAMES.contains(&name) => Some(Err(Error::failed_with(
            Reason::ChannelOption,
            [name],
            format!("channel option \"{name}\" can't be set"),
        ))),
        _ => None,
    }
}
