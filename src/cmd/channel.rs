//! The commands that work on a channel with TLS on top.

use std::rc::Rc;

use crate::channel::{Progress, TlsChannel, status as facts};
use crate::error::{Error, Reason, Result};
use crate::tcl::channel::Channel;
use crate::tcl::{Interp, Obj};
use crate::value::Record;

/// `tls::handshake channel`: goes on with the handshake; 1 when it is done, 0 when it waits for the peer.
pub(super) fn handshake(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::handshake channel"));
    };
    let tls = find(interp, name, Reason::HandshakeChannel)?;
    let done = tls.handshake()? == Progress::Done(());
    Ok(Obj::bool(done))
}

/// `tls::authenticate channel`: a server asks its client for a certificate after the handshake, in TLS 1.3. 1 when the
/// request is sent, 0 when that waits for room; the answer comes while reading.
pub(super) fn authenticate(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::authenticate channel"));
    };
    let tls = find(interp, name, Reason::HandshakeChannel)?;
    Ok(Obj::bool(tls.request_certificate()? == Progress::Done(())))
}

/// `tls::closewrite channel`: tells the peer that nothing more is sent; reading goes on. 1 when that is done, 0 when it
/// waits for room.
pub(super) fn closewrite(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::closewrite channel"));
    };
    let tls = find(interp, name, Reason::HandshakeChannel)?;
    Ok(Obj::bool(tls.close_write()? == Progress::Done(())))
}

/// `tls::CmpHasten channel`: has a socket acknowledge at once what comes next.
pub(super) fn hasten(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    at_socket(
        interp,
        words,
        "tls::CmpHasten channel",
        Channel::acknowledge_at_once,
    )
}

/// `tls::CmpSever channel`: ends the connection of a socket, whatever waits to be written. The channel stays.
pub(super) fn sever(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    at_socket(interp, words, "tls::CmpSever channel", Channel::sever)
}

/// `tls::unimport channel`: takes TLS off a channel. The number of bytes that were received and not read yet: decrypted
/// ones, and what follows the end of TLS. They are what is read from the channel next.
pub(super) fn unimport(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::unimport channel"));
    };
    let unread = find(interp, name, Reason::UnimportChannel)?.unstack(interp)?;
    Ok(Obj::int(i64::try_from(unread).unwrap_or(i64::MAX)))
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
    let mut record = facts::status(tls.ssl(), local);
    if !record.is_empty() {
        record.extend(totals(&tls));
    }
    Ok(Obj::from(&record))
}

/// `tls::connection channel`: the state of the connection; a dict.
pub(super) fn connection(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args("tls::connection channel"));
    };
    let tls = find(interp, name, Reason::ConnectionChannel)?;
    let mut record = facts::connection(tls.ssl());
    record.extend(totals(&tls));
    Ok(Obj::from(&record))
}

/// What the connection has done so far: the handshake's duration in microseconds once it is done, and how many bytes
/// of the application went in and out.
fn totals(tls: &TlsChannel) -> Record {
    let totals = tls.totals();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut record = Record::new();
    if let Some(duration) = totals.handshake {
        record.put(
            "handshakeTime",
            i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
        );
    }
    record.put("bytesIn", number(totals.read));
    record.put("bytesOut", number(totals.written));
    record
}

/// Does something to the channel that is the only word. One that is gone needs it no more.
fn at_socket(interp: Interp<'_>, words: &[Obj], syntax: &str, action: fn(Channel)) -> Result<Obj> {
    let [name] = words else {
        return Err(Error::wrong_args(syntax));
    };
    if let Some(channel) = Channel::find(interp, name) {
        action(channel);
    }
    Ok(Obj::empty())
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
