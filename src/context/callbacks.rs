//! The callbacks that contexts and connections are made with. They capture nothing: all they know is the connection
//! that OpenSSL hands them, and the [`hooks`](super::hooks) that were entered on this thread.
//!
//! Safe OpenSSL only.

use openssl::ssl::{
    AlpnError, ClientHelloResponse, NameType, SniError, SslAlert, SslContextBuilder, SslRef,
    SslSession, SslVerifyMode,
};
use openssl::x509::{X509StoreContext, X509StoreContextRef, X509VerifyResult};
use std::ffi::c_int;

use super::connection;
use super::hello::ClientHello;
use super::hooks::{AlpnChoice, Answer, Hello, Message, ServerName, Verdict, ask};
use super::keylog;
use super::resume;
use crate::error::{Error, Reason};
use crate::ossl::ssl::{InfoCallback, MessageCallback, set_retry_verify};

/// Installs the callbacks that a server has.
pub(super) fn install_server(context: &mut SslContextBuilder) {
    context.set_client_hello_callback(client_hello);
    context.set_servername_callback(server_name);
    context.set_alpn_select_callback(select_alpn);
}

/// Installs the callbacks that a client has.
pub(super) fn install_client(context: &mut SslContextBuilder) {
    context.set_new_session_callback(new_session);
}

/// Has the secrets of each connection written where the environment wants them; see [`keylog`].
pub(super) fn install_keylog(context: &mut SslContextBuilder) {
    context.set_keylog_callback(|_, line| keylog::write(line));
}

/// Decides on a step in the verification of the peer.
pub(super) fn verify(ok: bool, chain: &mut X509StoreContextRef) -> bool {
    let ssl = X509StoreContext::ssl_idx()
        .ok()
        .and_then(|index| chain.ex_data(index));
    let Some(ssl) = ssl else { return ok };
    // A client's mode has this flag too: it has no meaning there for OpenSSL, and tells us that the peer's
    // certificate must be good.
    let required = ssl
        .verify_mode()
        .contains(SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let server = ssl.is_server();
    let answer = ask(|hooks| match hooks.verify(ok, chain)? {
        Verdict::Later if server => {
            let message = "a server can't put off the verification of a client's certificate";
            let error = Error::failed(Reason::ImportOption, message);
            hooks.impossible(&error);
            Err(error)
        }
        verdict => Ok(verdict),
    });
    match answer {
        Answer::Nobody | Answer::Given(Verdict::Default) => ok || !required,
        Answer::Given(Verdict::Accept) => true,
        Answer::Given(Verdict::Later) => {
            // The handshake stops once the whole chain has passed.
            let ssl = X509StoreContext::ssl_idx()
                .ok()
                .and_then(|index| chain.ex_data(index));
            ssl.map(set_retry_verify).is_some()
        }
        Answer::Given(Verdict::Reject) | Answer::Failed => {
            if chain.error() == X509VerifyResult::OK {
                chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
            }
            false
        }
    }
}

/// A server received a ClientHello.
fn client_hello(
    ssl: &mut SslRef,
    alert: &mut SslAlert,
) -> Result<ClientHelloResponse, openssl::error::ErrorStack> {
    match ask(|hooks| hooks.client_hello(&ClientHello::of(ssl))) {
        Answer::Nobody | Answer::Given(Hello::Proceed) => Ok(ClientHelloResponse::SUCCESS),
        Answer::Given(Hello::Later) => Ok(ClientHelloResponse::RETRY),
        Answer::Given(Hello::Fail(reason)) => {
            *alert = reason;
            Err(openssl::error::ErrorStack::get())
        }
        Answer::Failed => {
            *alert = SslAlert::INTERNAL_ERROR;
            Err(openssl::error::ErrorStack::get())
        }
    }
}

/// A server received a server name, or sees that there is none.
fn server_name(ssl: &mut SslRef, alert: &mut SslAlert) -> Result<(), SniError> {
    let Some(name) = ssl.servername_raw(NameType::HOST_NAME) else {
        return Err(SniError::NOACK);
    };
    let name = String::from_utf8_lossy(name).into_owned();
    let answer = ask(|hooks| {
        let answer = hooks.server_name(&name)?;
        if let ServerName::Use(context) = &answer {
            context
                .take_over(ssl)
                .inspect_err(|error| hooks.impossible(error))?;
        }
        Ok(answer)
    });
    match answer {
        Answer::Nobody | Answer::Given(ServerName::Accept | ServerName::Use(_)) => Ok(()),
        Answer::Given(ServerName::Warn) => {
            *alert = SslAlert::UNRECOGNIZED_NAME;
            Err(SniError::ALERT_WARNING)
        }
        Answer::Given(ServerName::Fail) => {
            *alert = SslAlert::UNRECOGNIZED_NAME;
            Err(SniError::ALERT_FATAL)
        }
        Answer::Failed => {
            *alert = SslAlert::INTERNAL_ERROR;
            Err(SniError::ALERT_FATAL)
        }
    }
}

/// A server with application protocols received those of a client. The peer learns of a missing overlap by a fatal
/// alert, as RFC 7301 wants it, unless the connection was made lenient.
fn select_alpn<'a>(ssl: &mut SslRef, offered: &'a [u8]) -> Result<&'a [u8], AlpnError> {
    let Some((own, lenient)) = connection::alpn(ssl) else {
        return Err(AlpnError::NOACK);
    };
    let selected = own.select(offered);
    match ask(|hooks| hooks.select_alpn(selected, offered)) {
        Answer::Nobody | Answer::Given(AlpnChoice::Default) => selected.ok_or(match lenient {
            true => AlpnError::NOACK,
            false => AlpnError::ALERT_FATAL,
        }),
        Answer::Given(AlpnChoice::Without) => Err(AlpnError::NOACK),
        Answer::Given(AlpnChoice::Fail) | Answer::Failed => Err(AlpnError::ALERT_FATAL),
    }
}

/// A client got a session.
fn new_session(ssl: &mut SslRef, session: SslSession) {
    resume::received(ssl, &session);
    // A failure is kept for the one who runs the operation; the session is good all the same.
    let _ = ask(|hooks| hooks.new_session(ssl, session));
}

/// The callbacks for what is only watched.
pub(super) struct Watch;

impl InfoCallback for Watch {
    fn info(ssl: &SslRef, kind: c_int, value: c_int) {
        let _ = ask(|hooks| hooks.info(ssl, kind, value));
    }
}

impl MessageCallback for Watch {
    fn message(ssl: &SslRef, sent: bool, version: c_int, content_type: c_int, bytes: &[u8]) {
        let _ = ask(|hooks| {
            hooks.message(
                ssl,
                Message {
                    sent,
                    version,
                    content_type,
                    bytes,
                },
            )
        });
    }
}
