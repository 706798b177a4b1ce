//! Sessions as bytes, and how contexts keep them, so that a second handshake can be short.
//!
//! Safe OpenSSL only.

use openssl::ssl::{SslContextBuilder, SslRef, SslSession, SslSessionCacheMode};

use super::fingerprint::Fingerprint;
#[cfg(test)]
use openssl::ssl::SslSessionRef;

use crate::error::{Error, Reason, Result};
use crate::ossl::error::failed;
use crate::ossl::secret::Secret;
use crate::ossl::ssl::set_session;

/// A session that a client may ask to resume. It holds a secret: whoever has it can resume.
#[derive(Clone, Debug)]
pub(crate) struct Session(Secret);

impl Session {
    /// A session out of the bytes that `tls::connection` gives, maybe those of another process.
    pub(crate) fn parse(bytes: Secret) -> Result<Self> {
        match SslSession::from_der(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(Error::failed(
                Reason::ImportOption,
                "the session to resume can't be read",
            )
            .about_option("-session_id")),
        }
    }

    /// For tests: a copy of a session that a connection has.
    #[cfg(test)]
    pub(crate) fn of(session: &SslSessionRef) -> Result<Self> {
        match session.to_der() {
            Ok(bytes) => Ok(Self(Secret::new(bytes))),
            Err(stack) => Err(failed("can't export the session", &stack)),
        }
    }

    /// For tests: the bytes. They hold a secret.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &Secret {
        &self.0
    }

    /// Has a client offer the session. Each connection gets a copy of its own, so that none is shared.
    pub(super) fn offer(&self, ssl: &mut SslRef) -> Result<()> {
        SslSession::from_der(&self.0)
            .and_then(|session| set_session(ssl, &session))
            .map_err(|stack| failed("can't resume the session", &stack))
    }
}

/// Sets how a context keeps sessions. A server keeps those of TLS 1.2 clients without tickets, and gives out tickets
/// otherwise; the name is what keeps a session from being resumed where other checks apply. A client keeps none, but
/// its hooks are told of each.
pub(super) fn configure(
    context: &mut SslContextBuilder,
    server: bool,
    name: &Fingerprint,
) -> Result<()> {
    if !server {
        context.set_session_cache_mode(
            SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL_STORE,
        );
        return Ok(());
    }
    context.set_session_cache_mode(SslSessionCacheMode::SERVER);
    context
        .set_session_id_context(&name.0)
        .map_err(|stack| failed("can't name the sessions", &stack))
}
