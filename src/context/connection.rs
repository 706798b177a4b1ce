//! What one connection asks for beyond its context: names, application protocols, what it wants to be told.
//!
//! Safe OpenSSL only.

use once_cell::sync::OnceCell;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextRef, SslRef, SslVerifyMode};
use openssl::x509::verify::X509CheckFlags;

use super::alpn::Alpn;
use super::cache::COUNTERS;
use super::callbacks::Watch;
use super::name::Name;
use super::session::Session;
use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::error::{entries, failed};
use crate::ossl::ssl::{
    set_info_callback, set_message_callback, set_post_handshake_auth, verify_client_post_handshake,
};

/// The settings of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// A client sends this name, unless it is an address.
    pub(crate) server_name: Option<Name>,
    /// A client verifies that the server's certificate is for this name or address. `None` leaves it at the chain.
    pub(crate) host: Option<Name>,
    /// The application protocols that a client offers, or that a server takes, best first.
    pub(crate) alpn: Option<Alpn>,
    /// Whether a server goes on if it has no application protocol in common with the client.
    pub(crate) alpn_lenient: bool,
    /// Whether the hooks are told each change of state.
    pub(crate) info: bool,
    /// Whether the hooks are told each protocol message.
    pub(crate) messages: bool,
    /// The session that a client asks to resume.
    pub(crate) session: Option<Session>,
    /// A client can be asked for its certificate after the handshake, in TLS 1.3. A server doesn't ask during the
    /// handshake, but later, with [`ask_certificate`].
    pub(crate) post_handshake: bool,
}

/// What the callbacks look up in a connection.
struct Attached {
    /// The server's application protocols.
    alpn: Option<Alpn>,
    /// Whether a missing overlap is forgiven.
    lenient: bool,
}

/// The slot in which it lies.
fn slot() -> std::result::Result<Index<Ssl, Attached>, ErrorStack> {
    static SLOT: OnceCell<Index<Ssl, Attached>> = OnceCell::new();
    SLOT.get_or_try_init(Ssl::new_ex_index).copied()
}

/// The application protocols of a server's connection, and whether it is lenient.
pub(super) fn alpn(ssl: &SslRef) -> Option<(&Alpn, bool)> {
    let attached = ssl.ex_data(slot().ok()?)?;
    Some((attached.alpn.as_ref()?, attached.lenient))
}

/// Makes a server ask its client for a certificate now, after the handshake. The request goes out with the next
/// handshake call; the answer comes while reading.
pub(crate) fn ask_certificate(ssl: &SslRef) -> Result<()> {
    verify_client_post_handshake(ssl)
        .map_err(|stack| failed("can't ask the client for a certificate", &stack))
}

impl Connection {
    /// Makes a connection in its initial state, as client or as server.
    pub(super) fn make(&self, context: &SslContextRef, server: bool) -> Result<Ssl> {
        let doing = "can't make a TLS connection";
        let mut ssl = Ssl::new(context).map_err(|stack| failed(doing, &stack))?;
        COUNTERS.connections.add();
        match server {
            true => ssl.set_accept_state(),
            false => ssl.set_connect_state(),
        }
        if server {
            let slot = slot().map_err(|stack| failed(doing, &stack))?;
            let attached = Attached {
                alpn: self.alpn.clone(),
                lenient: self.alpn_lenient,
            };
            ssl.set_ex_data(slot, attached);
            if self.post_handshake {
                let mode = ssl.verify_mode() | SslVerifyMode::PEER | SslVerifyMode::POST_HANDSHAKE;
                ssl.set_verify(mode);
            }
        } else {
            self.make_client(&mut ssl)?;
        }
        if self.info {
            set_info_callback::<Watch>(&mut ssl);
        }
        if self.messages {
            set_message_callback::<Watch>(&mut ssl);
        }
        Ok(ssl)
    }

    /// The part that only clients have.
    fn make_client(&self, ssl: &mut SslRef) -> Result<()> {
        let refuse = |reason: Reason, what: &str, stack: ErrorStack| {
            let why = reasons_text(&entries(&stack));
            Error::failed(reason, format!("{what}: {why}"))
        };
        if let Some(name) = self.server_name.as_ref().and_then(Name::sent) {
            ssl.set_hostname(name)
                .map_err(|stack| refuse(Reason::ImportSni, "Set SNI extension failed", stack))?;
        }
        if let Some(host) = &self.host {
            let param = ssl.param_mut();
            param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
            let set = match host {
                Name::Dns(name) => param.set_host(name),
                Name::Ip(address) => param.set_ip(*address),
            };
            set.map_err(|stack| refuse(Reason::ImportHostname, "Set DNS hostname failed", stack))?;
        }
        if let Some(alpn) = &self.alpn {
            ssl.set_alpn_protos(alpn.wire())
                .map_err(|stack| refuse(Reason::ImportAlpn, "Set ALPN protocols failed", stack))?;
        }
        if let Some(session) = &self.session {
            session.offer(ssl)?;
        }
        if self.post_handshake {
            set_post_handshake_auth(ssl, true);
        }
        Ok(())
    }
}
