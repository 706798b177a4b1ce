//! Application protocols, hooks and sessions in real handshakes.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use openssl::ssl::{SslAlert, SslRef, SslSession};
use openssl::x509::X509StoreContextRef;

use super::fixtures::*;
use crate::context::alpn::Alpn;
use crate::context::hooks::{AlpnChoice, Hello, Hooks, Message, ServerName, Verdict};
use crate::context::session::Session;
use crate::context::{
    ClientHello, Connection, Context, Name, Protocol, ProtocolSet, Settings, obtain,
};
use crate::error::{Error, Result};

/// What is answered for the n-th question, and OpenSSL's view.
type VerifyAnswer = Box<dyn Fn(usize, bool) -> Result<Verdict>>;

/// What is answered for the n-th question.
type HelloAnswer = Box<dyn Fn(usize) -> Hello>;

/// Hooks that answer what they are told to, and write down what they were asked.
#[derive(Default)]
struct Script {
    log: RefCell<Vec<String>>,
    verify: Option<VerifyAnswer>,
    hello: Option<HelloAnswer>,
    name: Option<ServerName>,
    alpn: Option<AlpnChoice>,
    sessions: RefCell<Vec<Session>>,
}

impl Script {
    fn note(&self, line: String) -> usize {
        let mut log = self.log.borrow_mut();
        let word = line.split(' ').next().unwrap().to_owned();
        log.push(line);
        log.iter().filter(|line| line.starts_with(&word)).count()
    }

    fn seen(&self, word: &str) -> usize {
        self.log
            .borrow()
            .iter()
            .filter(|line| line.starts_with(word))
            .count()
    }
}

impl Hooks for Script {
    fn verify(&self, ok: bool, chain: &mut X509StoreContextRef) -> Result<Verdict> {
        let count = self.note(format!("verify {} {ok}", chain.error_depth()));
        // A hook may leave rubbish behind.
        openssl::error::ErrorStack::get();
        let _ = openssl::x509::X509::from_der(b"rubbish").map_err(|stack| stack.put());
        self.verify
            .as_ref()
            .map_or(Ok(Verdict::Default), |verify| verify(count, ok))
    }

    fn client_hello(&self, hello: &ClientHello<'_>) -> Result<Hello> {
        let name = String::from_utf8_lossy(hello.server_name().unwrap_or_default()).into_owned();
        assert!(!hello.ciphers().is_empty());
        let count = self.note(format!("hello {name}"));
        Ok(self
            .hello
            .as_ref()
            .map_or(Hello::Proceed, |hello| hello(count)))
    }

    fn server_name(&self, name: &str) -> Result<ServerName> {
        self.note(format!("sni {name}"));
        Ok(self.name.clone().unwrap_or(ServerName::Accept))
    }

    fn select_alpn(&self, selected: Option<&[u8]>, offered: &[u8]) -> Result<AlpnChoice> {
        let selected = selected.map(String::from_utf8_lossy);
        self.note(format!("alpn {selected:?} of {}", offered.len()));
        Ok(self.alpn.unwrap_or(AlpnChoice::Default))
    }

    fn info(&self, ssl: &SslRef, kind: std::ffi::c_int, _value: std::ffi::c_int) -> Result<()> {
        self.note(format!("info {kind} {}", ssl.state_string_long()));
        Ok(())
    }

    fn message(&self, _ssl: &SslRef, message: Message<'_>) -> Result<()> {
        self.note(format!("message {} {}", message.sent, message.bytes.len()));
        Ok(())
    }

    fn new_session(&self, _ssl: &SslRef, session: SslSession) -> Result<()> {
        self.note("session".to_owned());
        self.sessions.borrow_mut().push(Session::of(&session)?);
        Ok(())
    }
}

/// Contexts of a client and a server that fit each other.
fn contexts() -> (Arc<Context>, Arc<Context>) {
    let pki = pki();
    (
        context(&pki.client_settings()).unwrap(),
        context(&pki.server_settings()).unwrap(),
    )
}

/// A connection with application protocols.
fn speaking(names: &[&str], lenient: bool) -> Connection {
    Connection {
        alpn: Alpn::new(names).unwrap(),
        alpn_lenient: lenient,
        ..Connection::default()
    }
}

#[test]
fn application_protocols_are_agreed_upon() {
    let (client, server) = contexts();
    let run = |offers: &[&str], takes: &[&str], lenient: bool| {
        let (offers, takes) = (speaking(offers, false), speaking(takes, lenient));
        let mut pair = Pair::with(&client, &offers, &server, &takes);
        let (_, outcome) = pair.shake();
        outcome.map(|()| {
            let name = pair.client.stream.ssl().selected_alpn_protocol();
            name.map(|name| String::from_utf8_lossy(name).into_owned())
        })
    };
    assert_eq!(
        run(&["http/1.1", "h2"], &["h2", "http/1.1"], false),
        Ok(Some("h2".to_owned()))
    );
    assert_eq!(run(&["h2"], &[], false), Ok(None));
    assert_eq!(run(&[], &["h2"], false), Ok(None));
    assert_eq!(run(&["a"], &["b"], true), Ok(None));
    assert!(
        run(&["a"], &["b"], false)
            .unwrap_err()
            .contains("no application protocol")
    );
}

#[test]
fn hooks_can_do_without_an_application_protocol() {
    let (client, server) = contexts();
    let run = |choice: AlpnChoice| {
        let h2 = speaking(&["h2"], false);
        let hooks = Script {
            alpn: Some(choice),
            ..Script::default()
        };
        let mut pair = Pair::with(&client, &h2, &server, &h2).server_hooks(Rc::new(hooks));
        let (outcome, _) = pair.shake();
        let chosen = pair.client.stream.ssl().selected_alpn_protocol().is_some();
        (outcome.is_ok(), chosen)
    };
    assert_eq!(run(AlpnChoice::Default), (true, true));
    assert_eq!(run(AlpnChoice::Without), (true, false));
    assert_eq!(run(AlpnChoice::Fail), (false, false));
}

#[test]
fn a_verify_hook_decides() {
    let (client, server) = contexts();
    let run = |verdict: Verdict| {
        let hooks = Rc::new(Script {
            verify: Some(Box::new(move |_, _| Ok(verdict))),
            ..Script::default()
        });
        let mut pair = Pair::of(&client, &server).client_hooks(hooks.clone());
        let outcome = pair.shake().0;
        assert!(hooks.seen("verify") > 0);
        outcome
    };
    assert_eq!(run(Verdict::Default), Ok(()));
    assert_eq!(run(Verdict::Accept), Ok(()));
    let why = run(Verdict::Reject).unwrap_err();
    assert_eq!(
        why,
        "certificate verify failed (application verification failure)"
    );
}

#[test]
fn a_verify_hook_can_accept_what_openssl_does_not() {
    let (_, server) = contexts();
    let (client, _) = contexts();
    assert!(Pair::of(&client, &server).shake().0.is_err());
    let hooks = Rc::new(Script {
        verify: Some(Box::new(|_, _| Ok(Verdict::Accept))),
        ..Script::default()
    });
    Pair::of(&client, &server).client_hooks(hooks).talk();
}

#[test]
fn the_verdict_may_come_later() {
    let (client, server) = contexts();
    let hooks = Rc::new(Script {
        verify: Some(Box::new(|count, _| {
            Ok(match count {
                ..10 => Verdict::Later,
                _ => Verdict::Default,
            })
        })),
        ..Script::default()
    });
    let mut pair = Pair::of(&client, &server).client_hooks(hooks.clone());
    pair.talk();
    assert!(hooks.seen("verify") > 10);
}

#[test]
fn a_failing_hook_rejects_and_its_error_is_kept() {
    let (client, server) = contexts();
    for panics in [false, true] {
        let hooks = Rc::new(Script {
            verify: Some(Box::new(move |_, _| match panics {
                true => panic!("on purpose"),
                false => Err(Error::Script {
                    code: Vec::new(),
                    message: "on purpose".to_owned(),
                }),
            })),
            ..Script::default()
        });
        let mut pair = Pair::of(&client, &server).client_hooks(hooks);
        let (client, server) = pair.shake();
        let expected = match panics {
            true => "internal error in a callback of TLS; please report it",
            false => "on purpose",
        };
        assert_eq!(client.unwrap_err(), expected);
        assert!(server.is_err());
    }
}

#[test]
fn a_hello_hook_can_wait_and_refuse() {
    let (client, server) = contexts();
    let hooks = Rc::new(Script {
        hello: Some(Box::new(|count| match count {
            ..3 => Hello::Later,
            _ => Hello::Proceed,
        })),
        ..Script::default()
    });
    Pair::of(&client, &server)
        .server_hooks(hooks.clone())
        .talk();
    assert_eq!(hooks.seen("hello server.test"), 3);

    let hooks = Script {
        hello: Some(Box::new(|_| Hello::Fail(SslAlert::ACCESS_DENIED))),
        ..Script::default()
    };
    let (client, server) = Pair::of(&client, &server)
        .server_hooks(Rc::new(hooks))
        .shake();
    assert!(client.unwrap_err().contains("access denied"));
    assert!(server.is_err());
}

#[test]
fn a_client_without_a_name_is_asked_for_none() {
    let (client, server) = contexts();
    let hooks = Rc::new(Script::default());
    let none = Connection::default();
    Pair::with(&client, &none, &server, &none)
        .server_hooks(hooks.clone())
        .talk();
    assert_eq!((hooks.seen("hello"), hooks.seen("sni")), (1, 0));
}

#[test]
fn a_name_can_be_refused_or_lead_to_another_context() {
    let (one, two) = (pki(), pki());
    let client = context(&two.client_settings()).unwrap();
    let first = context(&one.server_settings()).unwrap();
    let second = context(&two.server_settings()).unwrap();
    let run = |answer: ServerName| {
        let hooks = Script {
            name: Some(answer),
            ..Script::default()
        };
        Pair::of(&client, &first)
            .server_hooks(Rc::new(hooks))
            .shake()
            .0
    };
    assert_eq!(run(ServerName::Use(second)), Ok(()));
    assert!(
        run(ServerName::Fail)
            .unwrap_err()
            .contains("unrecognized name")
    );
    for answer in [ServerName::Accept, ServerName::Warn] {
        assert!(
            run(answer)
                .unwrap_err()
                .starts_with("certificate verify failed")
        );
    }
}

#[test]
fn another_context_brings_its_own_checks() {
    let pki = pki();
    let client = context(&pki.client_settings()).unwrap();
    let open = context(&pki.server_settings()).unwrap();
    let strict = Settings {
        trust: trust(&pki.root.pem()),
        request: true,
        require: true,
        ..pki.server_settings()
    };
    let hooks = Script {
        name: Some(ServerName::Use(context(&strict).unwrap())),
        ..Script::default()
    };
    let (_, server) = Pair::of(&client, &open)
        .server_hooks(Rc::new(hooks))
        .shake();
    assert!(
        server
            .unwrap_err()
            .starts_with("peer did not return a certificate")
    );
}

#[test]
fn states_and_messages_are_told_only_when_asked_for() {
    let (client, server) = contexts();
    for wanted in [false, true] {
        let hooks = Rc::new(Script::default());
        let connection = Connection {
            info: wanted,
            messages: wanted,
            ..Connection::default()
        };
        Pair::with(&client, &connection, &server, &Connection::default())
            .client_hooks(hooks.clone())
            .talk();
        assert_eq!(hooks.seen("info") > 5, wanted);
        assert_eq!(hooks.seen("message") > 5, wanted);
    }
}

/// Talks twice, the second time with the session of the first; whether it was resumed.
fn resumes(client: &Context, server: &Context, second_server: &Context) -> bool {
    let hooks = Rc::new(Script::default());
    Pair::of(client, server).client_hooks(hooks.clone()).talk();
    let session = hooks.sessions.borrow_mut().pop().unwrap();
    // The session goes through bytes, as on its way to another process.
    let session = Session::parse(session.bytes().clone()).unwrap();
    let name = Some(Name::parse("server.test").unwrap());
    let connection = Connection {
        server_name: name.clone(),
        host: name,
        session: Some(session),
        ..Connection::default()
    };
    let mut pair = Pair::with(client, &connection, second_server, &Connection::default());
    pair.talk();
    pair.client.stream.ssl().session_reused()
}

#[test]
fn sessions_are_resumed_in_every_version() {
    let pki = pki();
    let with_client_certificate = |settings: &Settings| Settings {
        trust: trust(&pki.root.pem()),
        request: true,
        require: true,
        ..settings.clone()
    };
    for protocol in [Protocol::Tls1_2, Protocol::Tls1_3] {
        let server = Settings {
            protocols: ProtocolSet::EMPTY.with(protocol, true),
            ..pki.server_settings()
        };
        let client = Settings {
            identity: identity(&pki.bundle(&pki.client)),
            ..pki.client_settings()
        };
        let client = context(&client).unwrap();
        for server in [server.clone(), with_client_certificate(&server)] {
            let server = context(&server).unwrap();
            assert!(resumes(&client, &server, &server), "{protocol:?}");
        }
        // A session that was made without a certificate is nothing to a server that demands one.
        let (open, strict) = (
            context(&server).unwrap(),
            context(&with_client_certificate(&server)).unwrap(),
        );
        assert!(!resumes(&client, &open, &strict), "{protocol:?}");
    }
}

#[test]
fn rubbish_is_no_session() {
    assert!(Session::parse((&b"rubbish"[..]).into()).is_err());
}

#[test]
fn a_server_cannot_put_off_verification() {
    let pki = pki();
    let strict = Settings {
        trust: trust(&pki.root.pem()),
        request: true,
        require: true,
        ..pki.server_settings()
    };
    let client = Settings {
        identity: identity(&pki.bundle(&pki.client)),
        ..pki.client_settings()
    };
    let files = Memory::default();
    let mut none = |_| Ok(crate::context::Secret::default());
    let server = obtain(&strict, &files, &mut none, None).unwrap();
    let hooks = Script {
        verify: Some(Box::new(|_, _| Ok(Verdict::Later))),
        ..Script::default()
    };
    let (_, outcome) = Pair::of(&context(&client).unwrap(), &server)
        .server_hooks(Rc::new(hooks))
        .shake();
    let why = outcome.unwrap_err();
    assert!(why.contains("can't put off the verification"), "{why}");
}

#[test]
fn a_clients_context_is_no_answer_to_a_name() {
    let (client, server) = contexts();
    let hooks = Script {
        name: Some(ServerName::Use(Arc::clone(&client))),
        ..Script::default()
    };
    let (_, outcome) = Pair::of(&client, &server)
        .server_hooks(Rc::new(hooks))
        .shake();
    assert_eq!(
        outcome.unwrap_err(),
        "the settings for a server name are not those of a server"
    );
}

#[test]
fn a_server_can_ask_for_the_certificate_later() {
    let pki = pki();
    let server = Settings {
        trust: trust(&pki.root.pem()),
        require: true,
        ..pki.server_settings()
    };
    let client = Settings {
        identity: identity(&pki.bundle(&pki.client)),
        ..pki.client_settings()
    };
    let (client, server) = (context(&client).unwrap(), context(&server).unwrap());
    let later = Connection {
        post_handshake: true,
        ..Connection::default()
    };
    let mut pair = Pair::with(&client, &later, &server, &later);
    pair.talk();
    assert!(pair.server.stream.ssl().peer_certificate().is_none());
    pair.server.ask_certificate().unwrap();
    pair.talk();
    assert_eq!(pair.server.read().unwrap(), b"");
    let shown = pair.server.stream.ssl().peer_certificate().unwrap();
    assert_eq!(
        shown.to_der().unwrap(),
        pki.client.certificate.to_der().unwrap()
    );

    // A client that wasn't made ready for it can't be asked.
    let mut pair = Pair::with(&client, &Connection::default(), &server, &later);
    pair.talk();
    let why = pair.server.ask_certificate().unwrap_err();
    assert!(
        why.starts_with("can't ask the client for a certificate: "),
        "{why}"
    );
}
