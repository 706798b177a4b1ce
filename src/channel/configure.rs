//! The channel options of a TLS layer. What isn't one of them is the channel's below.

use crate::context::withdraw_session;
use crate::error::{Error, Reason};
use crate::tcl::{Interp, Obj};

use super::TlsChannel;

/// The options that a listing shows.
pub(super) const NAMES: &[&str] = &[
    "-alpn",
    "-cipher",
    "-command",
    "-protocol",
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
    Some(match name {
        "-alpn" => {
            String::from_utf8_lossy(ssl.selected_alpn_protocol().unwrap_or_default()).into_owned()
        }
        "-cipher" => ssl
            .current_cipher()
            .filter(|_| open)
            .map(|cipher| cipher.name().to_owned())
            .unwrap_or_default(),
        "-command" => prefix(scripts().command),
        "-protocol" => {
            if open {
                ssl.version_str().to_owned()
            } else {
                String::new()
            }
        }
        "-validatecommand" => prefix(scripts().validate),
        "-verifyresult" => {
            if open {
                ssl.verify_result().error_string().to_owned()
            } else {
                String::new()
            }
        }
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
            // A script that is to decide on the certificate must get to see it.
            if !tls.totals().has_begun() {
                withdraw_session(tls.ssl());
            }
            tls.callbacks.bind(interp, name, &Obj::text(value));
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
