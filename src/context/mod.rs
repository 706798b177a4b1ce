//! Floor 2: from settings to an OpenSSL context, shared by every connection with the same settings.
//!
//! [`obtain`] is the way in: it looks at the files that the settings name, finds the context that was built for them
//! before, or builds one. [`Context::ssl`] makes a connection out of it. Contexts hold nothing of an interpreter;
//! whoever runs a connection takes part through [`hooks`].
//!
//! Safe OpenSSL, `ossl` and the pure ground only; files through [`Files`].

#![forbid(unsafe_code)]

mod build;
mod cache;
mod callbacks;
mod connection;
mod fingerprint;
mod hello;
mod inputs;
mod keylog;
mod name;
mod pem;
mod resume;
mod source;

pub(crate) mod alpn;
pub(crate) mod ciphers;
pub(crate) mod files;
pub(crate) mod hooks;
pub(crate) mod identity;
pub(crate) mod protocols;
pub(crate) mod session;
pub(crate) mod trust;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use openssl::ssl::{Ssl, SslContext, SslRef, SslVerifyMode};

pub(crate) use self::cache::COUNTERS;
pub(crate) use self::connection::{Connection, ask_certificate};
pub(crate) use self::files::{Files, Stamp};
pub(crate) use self::hello::ClientHello;
pub(crate) use self::identity::{AskPassword, Identity};
pub(crate) use self::name::Name;
pub(crate) use self::protocols::{Protocol, ProtocolSet};
pub(crate) use self::resume::{Endpoint, withdraw as withdraw_session};
pub(crate) use self::source::Source;
pub(crate) use self::trust::Trust;
pub(crate) use crate::ossl::secret::Secret;
pub(crate) use crate::ossl::ticket::TicketKey;

use self::fingerprint::{Fingerprint, Mixer};
use self::inputs::Inputs;
use self::resume::Server;
use crate::error::{Error, Reason, Result};
use crate::ossl::error::failed;
use crate::x509::chain::Checks;

/// Everything that makes one context differ from another. There is no default on purpose: what is safe for a client
/// isn't what a server needs.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct Settings {
    /// Whether connections are a server's.
    pub(crate) server: bool,
    /// The protocol versions that may be negotiated.
    pub(crate) protocols: ProtocolSet,
    /// The cipher list for TLS 1.2 and earlier; `None` is the library's.
    pub(crate) cipher: Option<String>,
    /// The cipher suites for TLS 1.3; `None` is the library's.
    pub(crate) ciphersuites: Option<String>,
    /// OpenSSL's security level; `None` is the library's.
    pub(crate) security_level: Option<SecurityLevel>,
    /// The own certificate and key.
    pub(crate) identity: Option<Identity>,
    /// Whom to trust.
    pub(crate) trust: Trust,
    /// A server asks clients for a certificate. A client looks at the server's: without this it takes any.
    pub(crate) request: bool,
    /// The peer must have a certificate, and a good one; else the verification's result is kept, and only hooks
    /// act on it. Includes `request`.
    pub(crate) require: bool,
    /// The keys of a server's session tickets: the first for new ones, the others are still taken. Empty: keys of its
    /// own, which no other context has.
    pub(crate) ticket_keys: Vec<TicketKey>,
    /// How the peer's chain is checked; `None` lets any certificate that is named end it.
    pub(crate) checks: Option<Checks>,
    /// Diffie-Hellman parameters of a server; `None` lets the library choose.
    pub(crate) dhparams: Option<Source>,
}

/// A checked security level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SecurityLevel(u8);

impl SecurityLevel {
    /// Checks that the level is one of 0 to 5.
    pub(crate) fn new(level: i64) -> Result<Self> {
        match u8::try_from(level) {
            Ok(level @ 0..=5) => Ok(Self(level)),
            _ => Err(Error::failed_with(
                Reason::ImportOption,
                ["-securitylevel", &level.to_string()],
                format!("bad security level \"{level}\": must be 0 to 5"),
            )
            .about_option("-securitylevel")),
        }
    }
}

/// Who knows the password of an encrypted key: an interpreter that has a script for it. Two owners are the same if
/// interpreter and script are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PasswordOwner(Fingerprint);

impl PasswordOwner {
    /// `interpreter` is a number that no other interpreter of the process ever had. The script isn't kept, since
    /// it may contain the password.
    pub(crate) fn new(interpreter: u64, script: &str) -> Self {
        let mut mixer = Mixer::new("owner");
        mixer.add(&interpreter.to_le_bytes());
        mixer.add(script.as_bytes());
        Self(mixer.finish())
    }
}

/// A context that connections are made from. It can be shared between threads.
#[derive(Debug)]
pub(crate) struct Context {
    /// OpenSSL's context.
    ssl: SslContext,
    /// Whether connections are a server's.
    server: bool,
    /// A number that no other context of the process has.
    number: u64,
}

impl Context {
    /// A connection in its initial state, as client or as server, that has done nothing yet.
    pub(crate) fn ssl(&self, connection: &Connection) -> Result<Ssl> {
        connection.make(&self.ssl, self.server)
    }

    /// Has a client that was made with these settings go on with a session of the server that is there, if there is one,
    /// and keep those that it gets. A session that the settings name comes first.
    pub(crate) fn offer_session(
        &self,
        ssl: &mut SslRef,
        connection: &Connection,
        endpoint: Endpoint,
    ) -> Result<()> {
        let (Some(name), None) = (&connection.host, &connection.session) else {
            return Ok(());
        };
        let server = Server {
            context: self.number,
            name: name.clone(),
            endpoint,
        };
        resume::offer(ssl, server)
    }

    /// Whether connections are a server's.
    pub(crate) fn is_server(&self) -> bool {
        self.server
    }

    /// OpenSSL's context, for tests to look at.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &openssl::ssl::SslContextRef {
        &self.ssl
    }

    /// Makes a server's connection go on with this context's certificate, trust and checks, while its handshake
    /// looks at the server name. Protocol versions and ciphers stay those it started with.
    fn take_over(&self, ssl: &mut SslRef) -> Result<()> {
        if !self.server {
            // A client's context lacks callbacks that the rest of the handshake counts on.
            let message = "the settings for a server name are not those of a server";
            return Err(Error::failed(Reason::ImportOption, message));
        }
        let post_handshake = ssl.verify_mode() & SslVerifyMode::POST_HANDSHAKE;
        ssl.set_ssl_context(&self.ssl)
            .map_err(|stack| failed("can't change to another context", &stack))?;
        ssl.set_verify(self.ssl.verify_mode() | post_handshake);
        Ok(())
    }
}

impl Settings {
    /// The fingerprint of the settings, file names included, file contents not.
    fn fingerprint(&self) -> Fingerprint {
        let mut mixer = Mixer::new("settings");
        let text = |text: &Option<String>| text.clone().map(String::into_bytes);
        mixer.add(&[
            u8::from(self.server),
            self.protocols.bits(),
            self.security_level.map_or(u8::MAX, |level| level.0),
            u8::from(self.request),
            u8::from(self.require),
        ]);
        mixer.add_option(text(&self.cipher).as_deref());
        mixer.add_option(text(&self.ciphersuites).as_deref());
        let identity = self.identity.as_ref();
        let sources = [
            identity.map(|identity| &identity.certificate),
            identity.and_then(|identity| identity.key.as_ref()),
            self.dhparams.as_ref(),
        ];
        for source in sources {
            mixer.add(&[u8::from(source.is_some())]);
            if let Some(source) = source {
                source.mix(&mut mixer);
            }
        }
        mixer.add(&self.ticket_keys.len().to_le_bytes());
        for key in &self.ticket_keys {
            mixer.add(key.bytes());
        }
        self.mix_trust(&mut mixer);
        mixer.add_option(
            keylog::target()
                .as_ref()
                .map(|path| path.as_encoded_bytes()),
        );
        mixer.finish()
    }

    /// Adds whom to trust, and how chains are checked.
    fn mix_trust(&self, mixer: &mut Mixer) {
        self.trust.mix(mixer);
        let checks = self.checks.as_ref().map(|checks| format!("{checks:?}"));
        mixer.add_option(checks.as_ref().map(String::as_bytes));
    }

    /// Whether the peer's certificate is looked at.
    fn verifies(&self) -> bool {
        self.request || self.require
    }
}

/// The context for these settings: the one that was built before if the files are still the same, else a new one.
/// Every mistake in the settings is an error here, before anything happens to a channel.
///
/// `password` is called if the private key is encrypted and no context is there that `owner` unlocked before. It
/// returns an error with [`Reason::Password`] if there is no way to ask. A context whose key had to be unlocked is
/// given again only to the same owner; without an owner it isn't kept.
pub(crate) fn obtain(
    settings: &Settings,
    files: &dyn Files,
    password: &mut AskPassword<'_>,
    owner: Option<PasswordOwner>,
) -> Result<Arc<Context>> {
    let shape = settings.fingerprint();
    let mut inputs = Inputs::look(settings, files)?;
    if let Some(found) = cache::context(&shape, &inputs.fingerprint(), owner) {
        return Ok(found);
    }
    inputs.fill()?;
    let built = build::context(settings, &inputs, files, password)?;
    let context = Arc::new(Context {
        ssl: built.context,
        server: settings.server,
        number: COUNTERS.unique.add(),
    });
    let locked_by = built.locked.then_some(owner);
    Ok(cache::keep_context(
        shape,
        inputs.fingerprint(),
        locked_by,
        context,
    ))
}
