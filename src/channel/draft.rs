//! What a TLS layer is made of: put together and checked before its channel is touched.

use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::Ssl;

use crate::context::{Connection, Context, Endpoint};
use crate::error::Result;
use crate::tcl::channel::Channel;

use super::callbacks::{Callbacks, Scripts};

/// What a TLS layer is made of.
pub(crate) struct Parts {
    /// The shared context.
    pub(crate) context: Arc<Context>,
    /// The connection's own settings. The hooks' part is filled in by what the scripts need.
    pub(crate) connection: Connection,
    /// Whether a client resumes sessions on its own.
    pub(crate) resumes: bool,
    /// The scripts.
    pub(crate) scripts: Scripts,
    /// How long the handshake may take.
    pub(crate) timeout: Option<Duration>,
    /// Whether a stream that ends without a close notification is taken for a proper end.
    pub(crate) forgives_cut: bool,
}

impl Parts {
    /// A connection of the context with these settings.
    fn ssl(&self) -> Result<Ssl> {
        let watched = Callbacks::is_needed(&self.scripts);
        let connection = Connection {
            info: watched,
            messages: watched,
            ..self.connection.clone()
        };
        self.context.ssl(&connection)
    }
}

/// A connection that was made of its parts, and waits for its channel. All that its settings can have wrong was found out.
pub(crate) struct Draft {
    /// OpenSSL's connection.
    ssl: Ssl,
    /// What it was made of.
    parts: Parts,
}

impl Draft {
    /// Makes it.
    pub(crate) fn new(parts: Parts) -> Result<Self> {
        let ssl = parts.ssl()?;
        Ok(Self { ssl, parts })
    }

    /// The connection and its parts. A client goes on with a session of the server that it dials.
    pub(super) fn finish(self, under: Channel, dialed: Dialed) -> Result<(Ssl, Parts)> {
        let Self { mut ssl, parts } = self;
        if parts.resumes
            && let Some(endpoint) = dialed.endpoint(under)
        {
            parts
                .context
                .offer_session(&mut ssl, &parts.connection, endpoint)?;
        }
        Ok((ssl, parts))
    }
}

/// What is known of a client's server where its channel may not be connected yet.
#[derive(Debug, Default)]
pub(crate) struct Dialed {
    /// The host.
    pub(crate) host: Option<String>,
    /// The port.
    pub(crate) port: Option<u16>,
}

impl Dialed {
    /// Where the server is. What isn't known is looked up in the channel's connection.
    fn endpoint(self, under: Channel) -> Option<Endpoint> {
        if let (Some(host), Some(port)) = (&self.host, self.port) {
            let host = host.clone();
            return Some(Endpoint { host, port });
        }
        let address = under.peer_address()?;
        Some(Endpoint {
            host: self.host.unwrap_or_else(|| address.ip().to_string()),
            port: self.port.unwrap_or_else(|| address.port()),
        })
    }
}
