//! How a connection's owner takes part in OpenSSL's decisions, without anything of the owner in shared state.
//!
//! Contexts are shared by connections, interpreters and threads, so their callbacks hold nothing. Who runs an
//! operation on a connection first [enters](enter) its hooks; the callbacks ask whoever entered last on this thread.
//! If nobody did, OpenSSL's own decision stands. A hook that fails or panics rejects what it was asked about, and
//! [`Guard::leave`] returns the first such error after the operation.
//!
//! Safe OpenSSL only. Knows no Tcl.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use openssl::ssl::{SslAlert, SslRef, SslSession};
use openssl::x509::X509StoreContextRef;
use std::ffi::c_int;

use super::Context;
use super::hello::ClientHello;
use crate::error::{Error, Result};
use crate::ossl::error::QueueGuard;

/// What is to become of a step in the verification of a certificate chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// OpenSSL's verdict counts where the settings require a good certificate; else anything goes.
    Default,
    /// Go on, whatever OpenSSL says.
    Accept,
    /// End the handshake, whatever OpenSSL says.
    Reject,
    /// Stop here and ask everything again with the next attempt. Only clients can do that.
    Later,
}

/// What is to become of a handshake that a client has just begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// Go on.
    Proceed,
    /// End it with this alert.
    Fail(SslAlert),
    /// Stop here and ask again with the next attempt.
    Later,
}

/// What is to become of a handshake for a server name.
#[derive(Clone, Debug)]
pub(crate) enum ServerName {
    /// The name is served.
    Accept,
    /// The name isn't known, but go on.
    Warn,
    /// The name isn't known; end the handshake.
    Fail,
    /// Go on with the certificate, trust and checks of another context.
    Use(Arc<Context>),
}

/// What is to become of the choice of an application protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlpnChoice {
    /// Take the common protocol; without one, do as the connection's settings say.
    Default,
    /// Go on without an application protocol.
    Without,
    /// End the handshake.
    Fail,
}

/// A protocol message on its way in or out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// Whether it goes out.
    pub(crate) sent: bool,
    /// The protocol version as OpenSSL numbers it; 0 for its pseudo types.
    pub(crate) version: c_int,
    /// The record type of TLS, or one of OpenSSL's pseudo types from 256 on.
    pub(crate) content_type: c_int,
    /// The message.
    pub(crate) bytes: &'a [u8],
}

/// What the owner of a connection may want to decide or to know. Every default leaves things as they are.
///
/// The functions are called in the middle of an OpenSSL operation: they mustn't use the connection for anything but
/// asking.
pub(crate) trait Hooks {
    /// A step in the verification of the peer's certificate chain. `ok` is OpenSSL's view; `chain` knows the
    /// certificate, its depth and the error.
    fn verify(&self, ok: bool, chain: &mut X509StoreContextRef) -> Result<Verdict> {
        let _ = (ok, chain);
        Ok(Verdict::Default)
    }

    /// A server received the first message of a client, and has acted on nothing of it yet.
    fn client_hello(&self, hello: &ClientHello<'_>) -> Result<Hello> {
        let _ = hello;
        Ok(Hello::Proceed)
    }

    /// A server received the name that the client wants to talk to. Isn't called if the client sent none.
    fn server_name(&self, name: &str) -> Result<ServerName> {
        let _ = name;
        Ok(ServerName::Accept)
    }

    /// A server compared its application protocols with those that the client offers, in wire form.
    fn select_alpn(&self, selected: Option<&[u8]>, offered: &[u8]) -> Result<AlpnChoice> {
        let _ = (selected, offered);
        Ok(AlpnChoice::Default)
    }

    /// The connection changed its state: `SSL_CB_` and `SSL_ST_` bits, and an alert or a return code. Only on a
    /// connection that was made with [`Connection::info`](super::Connection::info).
    fn info(&self, ssl: &SslRef, kind: c_int, value: c_int) -> Result<()> {
        let _ = (ssl, kind, value);
        Ok(())
    }

    /// A protocol message. Only on a connection that was made with
    /// [`Connection::messages`](super::Connection::messages).
    fn message(&self, ssl: &SslRef, message: Message<'_>) -> Result<()> {
        let _ = (ssl, message);
        Ok(())
    }

    /// One of the answers above can't be carried out: this is why, and the handshake ends.
    fn impossible(&self, error: &Error) {
        let _ = error;
    }

    /// A client got a session that it can resume later. With TLS 1.3 that's after the handshake, and often twice.
    fn new_session(&self, ssl: &SslRef, session: SslSession) -> Result<()> {
        let _ = (ssl, session);
        Ok(())
    }
}

/// Hooks that were entered, and what came of them.
struct Frame {
    /// The hooks.
    hooks: Rc<dyn Hooks>,
    /// The first error that one of them returned.
    failure: Option<Error>,
}

thread_local! {
    /// Those who run an operation on this thread, innermost last.
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Makes these hooks the ones that are asked on this thread, until the guard is left or dropped.
pub(crate) fn enter(hooks: Rc<dyn Hooks>) -> Guard {
    STACK.with_borrow_mut(|stack| {
        let depth = stack.len();
        stack.push(Frame {
            hooks,
            failure: None,
        });
        Guard {
            depth,
            thread: PhantomData,
        }
    })
}

/// The time for which hooks are entered. Guards end in the opposite order of their making.
#[must_use = "hooks are left when the guard is dropped"]
#[derive(Debug)]
pub(crate) struct Guard {
    /// How many frames are below.
    depth: usize,
    /// Belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Guard {
    /// Leaves the hooks; the first error that one of them returned.
    pub(crate) fn leave(self) -> Result<()> {
        let failure = STACK.with_borrow_mut(|stack| stack.get_mut(self.depth)?.failure.take());
        failure.map_or(Ok(()), Err)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A frame is dropped only when the stack is free again, since a hook's destructor may do anything.
        while let Some(gone) = STACK.with_borrow_mut(|stack| match stack.len() > self.depth {
            true => stack.pop(),
            false => None,
        }) {
            drop(gone);
        }
    }
}

/// What came of asking.
pub(super) enum Answer<T> {
    /// Nobody entered hooks on this thread.
    Nobody,
    /// The hook's answer.
    Given(T),
    /// The hook failed; the error waits in its frame.
    Failed,
}

/// Asks the hooks that were entered last. Whatever they leave in OpenSSL's error queue and in `errno` is dropped.
pub(super) fn ask<T>(question: impl FnOnce(&dyn Hooks) -> Result<T>) -> Answer<T> {
    let top = STACK.with_borrow(|stack| {
        let frame = stack.last()?;
        Some((stack.len() - 1, Rc::clone(&frame.hooks)))
    });
    let Some((index, hooks)) = top else {
        return Answer::Nobody;
    };
    let apart = QueueGuard::new();
    let answer = catch_unwind(AssertUnwindSafe(|| question(hooks.as_ref())))
        .unwrap_or_else(|_| Err(Error::panic("a callback of TLS")));
    drop(hooks);
    drop(apart);
    match answer {
        Ok(answer) => Answer::Given(answer),
        Err(error) => {
            STACK.with_borrow_mut(|stack| {
                if let Some(frame) = stack.get_mut(index) {
                    frame.failure.get_or_insert(error);
                }
            });
            Answer::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hooks that fail with a text.
    struct Failing(&'static str);

    impl Hooks for Failing {
        fn server_name(&self, name: &str) -> Result<ServerName> {
            match self.0 {
                "panic" => panic!("{name}"),
                text => Err(Error::Script {
                    code: vec![name.to_owned()],
                    message: text.to_owned(),
                }),
            }
        }
    }

    #[test]
    fn without_hooks_nobody_answers() {
        assert!(matches!(
            ask(|hooks| hooks.server_name("x")),
            Answer::Nobody
        ));
    }

    #[test]
    fn the_first_error_is_kept_for_the_one_who_entered() {
        let outer = enter(Rc::new(Failing("outer")));
        assert!(matches!(
            ask(|hooks| hooks.server_name("1")),
            Answer::Failed
        ));
        let inner = enter(Rc::new(Failing("inner")));
        assert!(matches!(
            ask(|hooks| hooks.server_name("2")),
            Answer::Failed
        ));
        assert!(matches!(
            ask(|hooks| hooks.server_name("3")),
            Answer::Failed
        ));
        let error = inner.leave().unwrap_err();
        assert_eq!(
            (error.message().as_str(), error.code()),
            ("inner", vec!["2".to_owned()])
        );
        assert_eq!(outer.leave().unwrap_err().message(), "outer");
        assert!(matches!(
            ask(|hooks| hooks.server_name("4")),
            Answer::Nobody
        ));
    }

    #[test]
    fn a_panic_is_an_error() {
        let guard = enter(Rc::new(Failing("panic")));
        assert!(matches!(
            ask(|hooks| hooks.server_name("x")),
            Answer::Failed
        ));
        assert_eq!(
            guard.leave().unwrap_err().code(),
            ["TLS", "INTERNAL", "PANIC"]
        );
    }
}
