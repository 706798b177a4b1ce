//! The commands that work on a channel with TLS on top: `tls::handshake`, `tls::unimport`, `tls::status` and
//! `tls::connection`.

use std::rc::Rc;

use crate::channel::{Progress, TlsChannel, status as facts};
use crate::error::{Error, Reason, Result};
use crate::tcl::channel::Channel;
use crate::tcl::{Interp, Obj};

/// `tls::handshake channel`: goes on with the handshake; 1 when it is done, 0 when it waits for the peer.
pub(super) fn handshake(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::handshake channel"));
    };
    let tls = find(interp, name, Reason::HandshakeChannel)?;
    let done = tls.handshake()? == Progress::Done(());
    Ok(Obj::bool(done))
}

/// `tls::unimport channel`: takes TLS off a channel. Returns nothing.
pub(super) fn unimport(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::unimport channel"));
    };
    find(interp, name, Reason::UnimportChannel)?.unstack(interp)?;
    Ok(Obj::empty())
}

/// `tls::status ?-local? channel`: the peer's certificate, or the own one, and what was negotiated; a dict.
pub(super) fn status(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let syntax = || Error::wrong_args("tls::status ?-local? channel");
    let (local, name) = match words {
        [name] => (false, name),
        [option, name] if option.as_text() == "-local" => (true, name),
        [option, _] => {
            let option = option.as_text();
            let message = format!("bad option \"{option}\": must be -local");
            return Err(Error::usage(
                ["TCL", "LOOKUP", "INDEX", "option", &option],
                message,
            ));
        }
        _ => return Err(syntax()),
    };
    let tls = find(interp, name, Reason::StatusChannel)?;
    Ok(Obj::from(&facts::status(tls.ssl(), local)))
}

/// `tls::connection channel`: the state of the connection; a dict.
pub(super) fn connection(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::connection channel"));
    };
    let tls = find(interp, name, Reason::ConnectionChannel)?;
    Ok(Obj::from(&facts::connection(tls.ssl())))
}

/// The TLS layer on top of the channel that a script names.
fn find(interp: Interp<'_>, name: &Obj, reason: Reason) -> Result<Rc<TlsChannel>> {
    let text = name.as_text();
    match Channel::find(interp, name) {
        None => Err(Error::failed(
            reason,
            format!("can not find channel named \"{text}\""),
        )),
        Some(channel) => channel.driver::<TlsChannel>().ok_or_else(|| {
            Error::failed(reason, format!("bad channel \"{text}\": not a TLS channel"))
        }),
    }
}
