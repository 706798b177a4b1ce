//! The sessions that clients may resume, so that a second connection to the same server has a short handshake.
//!
//! They are the process's. A session is given only to connections of the context it was made under, so to equal
//! settings of trust, identity and protocols, to the same name, host and port. One of TLS 1.3 is given once, as the protocol
//! wants it: two connections with the same ticket could be seen to be the same client's.
//!
//! Safe OpenSSL only. Connections whose scripts decide on certificates must not take part: a resumed handshake shows
//! them none.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use once_cell::sync::{Lazy, OnceCell};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef, SslSession, SslVerifyMode, SslVersion};
use openssl::x509::X509VerifyResult;

use super::cache::{COUNTERS, Recent};
use super::name::Name;
use crate::ossl::error::failed;
use crate::ossl::ssl::{forget_session, set_session};

/// For how many servers sessions are kept.
const SERVERS: usize = 256;

/// How many sessions are kept for one: servers send two, and a browser of pages opens a few connections at once.
const EACH: usize = 8;

/// Where a client connects to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// The host, as a name or as an address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// A server, as one context's clients know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    /// The context's number.
    pub(super) context: u64,
    /// The name that is sent and verified.
    pub(super) name: Name,
    /// Where it is.
    pub(super) endpoint: Endpoint,
}

/// The sessions, latest last.
fn kept() -> MutexGuard<'static, Recent<Server, VecDeque<SslSession>>> {
    static KEPT: Lazy<Mutex<Recent<Server, VecDeque<SslSession>>>> =
        Lazy::new(|| Mutex::new(Recent::new(SERVERS)));
    // What is in there is whole at any time, so a panic elsewhere while it was locked does no harm.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a session may be used only once.
fn is_single(session: &SslSession) -> bool {
    session.protocol_version() == SslVersion::TLS1_3
}

/// The latest session for a server.
fn take(server: &Server) -> Option<SslSession> {
    let mut kept = kept();
    let sessions = kept.find(server)?;
    match sessions.back() {
        Some(session) if !is_single(session) => Some(session.clone()),
        _ => sessions.pop_back(),
    }
}

/// Keeps a session.
fn keep(server: &Server, session: SslSession) {
    let mut kept = kept();
    match kept.find(server) {
        Some(sessions) => {
            // An older one that may be used again would only be in the way.
            sessions.retain(is_single);
            sessions.push_back(session);
            if sessions.len() > EACH {
                sessions.pop_front();
            }
        }
        None => drop(kept.enter(server.clone(), VecDeque::from([session]))),
    }
    COUNTERS.sessions.add();
}

/// The slot of a connection in which its server lies.
fn slot() -> Result<Index<Ssl, Server>, ErrorStack> {
    static SLOT: OnceCell<Index<Ssl, Server>> = OnceCell::new();
    SLOT.get_or_try_init(Ssl::new_ex_index).copied()
}

/// Has a client offer a session of this server, if there is one, and keep what the server gives it.
pub(super) fn offer(ssl: &mut SslRef, server: Server) -> crate::error::Result<()> {
    let doing = "can't resume a session";
    if let Some(session) = take(&server) {
        set_session(ssl, &session).map_err(|stack| failed(doing, &stack))?;
        COUNTERS.offers.add();
    }
    ssl.set_ex_data(slot().map_err(|stack| failed(doing, &stack))?, server);
    Ok(())
}

/// Has a client that hasn't begun its handshake do without what [`offer`] found for it.
pub(crate) fn withdraw(ssl: &SslRef) {
    if slot().is_ok_and(|slot| ssl.ex_data(slot).is_some()) {
        forget_session(ssl);
    }
}

/// A client got a session, which is kept if others may have it. Where a good certificate is required, it must have been
/// good by itself, not by a script's word.
pub(super) fn received(ssl: &SslRef, session: &SslSession) {
    let server = slot().ok().and_then(|slot| ssl.ex_data(slot));
    let required = ssl
        .verify_mode()
        .contains(SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    if let Some(server) = server
        && (!required || ssl.verify_result() == X509VerifyResult::OK)
    {
        keep(server, session.clone());
    }
}
