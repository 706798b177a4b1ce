//! `tls::import`, and the private `tls::Prepare`, which checks everything that it would check.

use std::sync::Arc;

use openssl::ssl::Ssl;

use crate::channel::TlsChannel;
use crate::context::alpn::Alpn;
use crate::context::{
    self, Connection, Context, Name, PasswordOwner, Protocol, ProtocolSet, Secret, SecurityLevel,
    Settings, Source,
};
use crate::error::{Error, Reason, Result};
use crate::opts::groups::{IDENTITY, Identity, PROTOCOLS, Protocols, TRUST, Trust};
use crate::opts::{Missing, Table, options};
use crate::tcl::channel::{Channel, Mask};
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};

use super::files::Access;

options! {
    /// What concerns one connection.
    pub(super) struct Peer, PEER {
        alpn: List = "-alpn", Both, Import, "1.8", "none",
            "Application protocols to offer or to take, most wanted first";
        request: Bool = "-request", Both, Import, "1.4", "true for a client, false for a server",
            "Ask the peer for its certificate and check it";
        require: Bool = "-require", Both, Import, "1.4", "true for a client, false for a server",
            "Refuse a peer without a valid certificate; implies -request";
        servername: Text = "-servername", Client, Import, "1.6", "none",
            "Name to ask the server for, and to verify its certificate against";
    }
}

options! {
    /// Which end of the connection this is.
    pub(super) struct Role, ROLE {
        server: Bool = "-server", Both, Import, "1.4", "false", "Be the server of the handshake";
    }
}

/// The options of `tls::import`.
pub(super) static TABLE: Table = Table {
    command: "tls::import",
    groups: &[PEER, ROLE, PROTOCOLS, IDENTITY, TRUST],
    missing: Missing::NoArgument,
};

/// The command's form.
const SYNTAX: &str = "tls::import channel ?options?";

/// All that a connection needs, checked.
struct Prepared {
    /// The shared context.
    context: Arc<Context>,
    /// The connection's own settings.
    connection: Connection,
    /// Which end it is.
    server: bool,
}

/// `tls::import channel ?options?`: puts TLS on top of a channel and returns the channel's name.
///
/// Everything is checked before the channel is touched.
pub(super) fn import(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [name, options @ ..] = words else {
        return Err(Error::wrong_args(SYNTAX));
    };
    let under = find(interp, name)?;
    let prepared = Prepared::new(interp, options)?;
    let ssl = prepared.ssl()?;
    // Preparing may have called a password script, which can do anything.
    if find(interp, name)? != under {
        return Err(Error::failed(
            Reason::ChannelBusy,
            format!(
                "channel \"{}\" was changed by the password script",
                name.as_text()
            ),
        ));
    }
    let layer = TlsChannel::stack(interp, under, ssl, prepared.server)?;
    Ok(Obj::text(&layer.name()))
}

/// `tls::Prepare ?options?`: checks the options of `tls::import` and everything they name, so that `tls::socket` can
/// refuse them before it connects or listens.
pub(super) fn prepare(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    Prepared::new(interp, words)?.ssl()?;
    Ok(Obj::empty())
}

/// The channel to import: open both ways.
fn find(interp: Interp<'_>, name: &Obj) -> Result<Channel> {
    let text = name.as_text();
    let refuse =
        |message: String| Err(Error::failed_with(Reason::ImportChannel, [&*text], message));
    match Channel::find(interp, name) {
        None => refuse(format!("can not find channel named \"{text}\"")),
        Some(channel) if !channel.mode().has(Mask::BOTH) => refuse(format!(
            "channel \"{text}\" isn't open for both reading and writing"
        )),
        Some(channel) => Ok(channel),
    }
}

impl Prepared {
    /// Reads the options and obtains the context.
    fn new(interp: Interp<'_>, words: &[Obj]) -> Result<Self> {
        let given = TABLE.parse(words)?;
        let peer = Peer::read(&given)?;
        let protocols = Protocols::read(&given)?;
        let identity = Identity::read(&given)?;
        let trust = Trust::read(&given)?;
        let server = Role::read(&given)?.server.unwrap_or(false);

        let require = peer.require.unwrap_or(!server);
        let request = require || peer.request.unwrap_or(!server);
        let settings = Settings {
            server,
            protocols: protocol_set(&protocols),
            cipher: protocols.cipher.filter(|list| !list.is_empty()),
            ciphersuites: protocols.ciphersuites.filter(|list| !list.is_empty()),
            security_level: protocols
                .security_level
                .map(SecurityLevel::new)
                .transpose()?,
            identity: own_identity(&identity)?,
            trust: context::Trust::new(
                trust
                    .cafile
                    .as_deref()
                    .and_then(|value| Source::file("-cafile", value)),
                trust.cadir.as_deref(),
                trust.castore.as_deref(),
            ),
            request,
            require,
            dhparams: None,
        };
        let server_name = peer.servername.as_deref().map(Name::parse).transpose()?;
        let connection = Connection {
            host: server_name.clone().filter(|_| !server),
            server_name: server_name.filter(|_| !server),
            alpn: alpn(peer.alpn.as_deref().unwrap_or_default())?,
            ..Connection::default()
        };

        let password = identity
            .password
            .unwrap_or_else(|| Obj::text("::tls::password"));
        let script = Script::new(interp, &password);
        let owner = PasswordOwner::new(interp.number(), &password.as_text());
        let mut ask = |_max: usize| ask_password(script.as_ref());
        let context = context::obtain(&settings, &Access::of(interp), &mut ask, Some(owner))?;
        Ok(Self {
            context,
            connection,
            server,
        })
    }

    /// A connection of the context with these settings.
    fn ssl(&self) -> Result<Ssl> {
        self.context.ssl(&self.connection)
    }
}

/// The protocol versions that are allowed.
fn protocol_set(given: &Protocols<Obj>) -> ProtocolSet {
    ProtocolSet::EMPTY
        .with(Protocol::Tls1, given.tls1.unwrap_or(false))
        .with(Protocol::Tls1_1, given.tls1_1.unwrap_or(false))
        .with(Protocol::Tls1_2, given.tls1_2.unwrap_or(true))
        .with(Protocol::Tls1_3, given.tls1_3.unwrap_or(true))
}

/// The own certificate and key.
fn own_identity(given: &Identity<Obj>) -> Result<Option<context::Identity>> {
    let bytes = |option, value: &Option<Vec<u8>>| {
        value
            .clone()
            .and_then(|bytes| Source::bytes(option, Secret::from(bytes)))
    };
    let file = |option, value: &Option<String>| {
        value.as_deref().and_then(|name| Source::file(option, name))
    };
    let certificate = bytes("-cert", &given.cert).or_else(|| file("-certfile", &given.certfile));
    let key = bytes("-key", &given.key).or_else(|| file("-keyfile", &given.keyfile));
    context::Identity::new(certificate, key)
}

/// The application protocols.
fn alpn(names: &[Obj]) -> Result<Option<Alpn>> {
    let names: Vec<Vec<u8>> = names
        .iter()
        .map(|name| name.as_text().into_owned().into_bytes())
        .collect();
    Alpn::new(&names)
}

/// Asks the caller's script for the password of a private key.
fn ask_password(script: Option<&Script>) -> Result<Secret> {
    let refused = |why: &str| Err(Error::failed(Reason::Password, why));
    match script.and_then(|script| script.call_reporting(&[Obj::int(0), Obj::int(1024)])) {
        None => refused("the private key is encrypted and there is no password script"),
        Some(Err(error)) => refused(&format!("the password script failed: {}", error.message())),
        Some(Ok(password)) => Ok(Secret::from(password.as_text().as_bytes())),
    }
}
