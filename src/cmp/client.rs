//! A client's transactions: settings become a context, which is run over a wire.

use std::sync::{Arc, Mutex, PoisonError};

use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKeyRef};
use openssl::stack::Stack;
use openssl::x509::X509;

use super::names::{self, Information};
use super::outcome::{Outcome, failure};
use super::settings::{Command, Credentials, NewKey, Settings, Wish};
use super::wire::Deck;
use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl::cmp::{self, CertRequest, Context, Progress};
use crate::ossl::cmp_message::Itav;
use crate::ossl::error::{clear, entries};
use crate::ossl::x509_store::share;

/// The error for something that OpenSSL doesn't take.
fn refused(what: &str) -> impl Fn(Vec<OpenSslEntry>) -> Error + '_ {
    move |entries| {
        let message = format!("can't use {what}: {}", reasons_text(&entries));
        Error::failed(Reason::CmpCreate, message)
    }
}

/// The number of an algorithm.
fn algorithm(option: &str, name: &str) -> Result<i32> {
    let object = names::object(name).map(|object| object.nid());
    match object {
        Ok(nid) if nid != Nid::UNDEF => Ok(nid.as_raw()),
        _ => {
            let message = format!("unknown algorithm \"{name}\" for {option}");
            Err(Error::failed_with(Reason::CmpOption, [option], message))
        }
    }
}

/// Certificates as OpenSSL takes them.
pub(super) fn stack(certificates: &[X509]) -> Result<Stack<X509>> {
    let make = || {
        let mut stack = Stack::new()?;
        for certificate in certificates {
            stack.push(certificate.clone())?;
        }
        Ok(stack)
    };
    make().map_err(|stack| refused("certificates")(entries(&stack)))
}

/// Gives a side of a transaction its credentials.
pub(super) fn equip(context: &mut Context, credentials: &Credentials) -> Result<()> {
    let set = |context: &mut Context, option, value: i32, what: &str| {
        context.set_option(option, value).map_err(refused(what))
    };
    if let Some(digest) = &credentials.digest {
        let number = algorithm("-digest", digest)?;
        set(context, cmp::OPT_DIGEST, number, "the digest")?;
        set(context, cmp::OPT_OWF, number, "the digest")?;
    }
    if let Some(mac) = &credentials.mac {
        set(context, cmp::OPT_MAC, algorithm("-mac", mac)?, "the MAC")?;
    }
    if let Some(reference) = &credentials.reference {
        let done = context.set_reference(reference.as_bytes());
        done.map_err(refused("the reference"))?;
    }
    if let Some(secret) = &credentials.secret {
        context.set_secret(secret).map_err(refused("the secret"))?;
    }
    if let Some(key) = &credentials.key {
        set_key(context, key)?;
    }
    if !credentials.untrusted.is_empty() {
        let certificates = stack(&credentials.untrusted)?;
        let done = context.set_untrusted(&certificates);
        done.map_err(refused("the certificates of -untrusted"))?;
    }
    if let Some(store) = &credentials.trusted {
        let store = share(store).map_err(|stack| refused("trust")(entries(&stack)))?;
        let done = context.set_trusted(store);
        done.map_err(refused("the trusted certificates"))?;
    }
    if let Some(certificate) = &credentials.certificate {
        let done = context.set_certificate(certificate);
        done.map_err(refused("the own certificate"))?;
    }
    let switches = [
        (credentials.unprotected, cmp::OPT_UNPROTECTED_SEND),
        (credentials.unprotected_errors, cmp::OPT_UNPROTECTED_ERRORS),
        (credentials.ignore_key_usage, cmp::OPT_IGNORE_KEYUSAGE),
        (credentials.forgets, cmp::OPT_NO_CACHE_EXTRACERTS),
    ];
    for (_, option) in switches.into_iter().filter(|(on, _)| *on) {
        set(context, option, 1, "a switch")?;
    }
    Ok(())
}

/// Sets the own key.
fn set_key<T: HasPublic>(context: &mut Context, key: &PKeyRef<T>) -> Result<()> {
    context.set_key(key).map_err(refused("the own key"))
}

/// The context that settings describe.
pub(crate) fn prepare(settings: Settings) -> Result<Context> {
    clear();
    let mut context =
        Context::new(settings.credentials.properties.as_deref()).map_err(refused("the library"))?;
    let verbosity = settings.verbosity;
    let done = context.set_option(cmp::OPT_LOG_VERBOSITY, verbosity);
    done.map_err(refused("-verbosity"))?;
    equip(&mut context, &settings.credentials)?;
    let credentials = &settings.credentials;
    if credentials.certificate.is_some() {
        let candidates = stack(&credentials.chain)?;
        let done = context.build_chain(settings.own_trusted.as_ref(), &candidates);
        done.map_err(|entries| {
            let message = format!(
                "the chain of the own certificate can't be built: {}",
                reasons_text(&entries)
            );
            Error::failed_with(Reason::CmpVerify, ["-cert"], message)
        })?;
    }
    if !settings.extra.is_empty() {
        let done = context.set_extra_certificates(&*stack(&settings.extra)?);
        done.map_err(refused("-extracerts"))?;
    }
    if let Some(certificate) = &settings.server {
        let done = context.set_server_certificate(certificate);
        done.map_err(refused("-srvcert"))?;
    }
    if let Some(name) = &settings.expected_sender {
        let done = context.set_expected_sender(name);
        done.map_err(refused("-expect_sender"))?;
    }
    if let Some(name) = &settings.recipient {
        let done = context.set_recipient(name);
        done.map_err(refused("-recipient"))?;
    }
    let seconds = i32::try_from(settings.total_timeout).unwrap_or(i32::MAX);
    let done = context.set_option(cmp::OPT_TOTAL_TIMEOUT, seconds);
    done.map_err(refused("-total_timeout"))?;
    wish(&mut context, settings.wish)?;
    Ok(context)
}

/// A question in OpenSSL's form; its value follows when the message is there.
fn question(piece: &Information) -> Result<Itav> {
    let bad = |problem: crate::x509::Problem| {
        Error::failed_with(Reason::CmpOption, ["-infotype"], problem.to_string())
    };
    let kind = names::object(&piece.kind).map_err(bad)?;
    Itav::new(kind).map_err(refused("a piece of information"))
}

/// Tells a context what is wanted.
fn wish(context: &mut Context, wish: Wish) -> Result<()> {
    if wish.central {
        context.let_server_make_key();
    }
    match &wish.key {
        Some(NewKey::Private(key)) => context.set_new_key(key, true),
        Some(NewKey::Public(key)) => context.set_new_key(key, false),
        None => Ok(()),
    }
    .map_err(refused("the new key"))?;
    if let Some(name) = &wish.subject {
        context.set_subject(name).map_err(refused("-subject"))?;
    }
    if let Some(name) = &wish.issuer {
        context.set_issuer(name).map_err(refused("-issuer"))?;
    }
    if let Some(request) = &wish.request {
        context.set_request(request).map_err(refused("-csr"))?;
    }
    if let Some(certificate) = &wish.old {
        let done = context.set_old_certificate(certificate);
        done.map_err(refused("-oldcert"))?;
    }
    if let Some(extensions) = wish.extensions {
        let done = context.set_extensions(extensions);
        done.map_err(refused("the requested extensions"))?;
    }
    if context.extensions_have_names() && !wish.names.is_empty() {
        let message = "-reqexts and -sans can't both give alternative names";
        return Err(Error::failed_with(Reason::CmpOption, ["-sans"], message));
    }
    for name in &wish.names {
        let done = context.add_alternative_name(name);
        done.map_err(refused("a name of -sans"))?;
    }
    for policy in &wish.policies {
        let done = context.add_policy(policy);
        done.map_err(refused("a policy of -policy_oids"))?;
    }
    for piece in &wish.questions {
        let done = context.add_question(question(piece)?);
        done.map_err(refused("-infotype"))?;
    }
    let numbers = [
        (wish.days, cmp::OPT_VALIDITY_DAYS, "-days"),
        (wish.popo, cmp::OPT_POPO, "-popo"),
        (wish.reason, cmp::OPT_REVOCATION_REASON, "-revreason"),
    ];
    for (number, option, what) in numbers {
        if let Some(number) = number {
            context.set_option(option, number).map_err(refused(what))?;
        }
    }
    let switches = [
        (wish.names_critical, cmp::OPT_SAN_CRITICAL),
        (wish.no_default_names, cmp::OPT_SAN_NODEFAULT),
        (wish.policies_critical, cmp::OPT_POLICIES_CRITICAL),
        (wish.implicit_confirmation, cmp::OPT_IMPLICIT_CONFIRM),
        (wish.no_confirmation, cmp::OPT_DISABLE_CONFIRM),
    ];
    for (_, option) in switches.into_iter().filter(|(on, _)| *on) {
        context.set_option(option, 1).map_err(refused("a switch"))?;
    }
    let done = context.check_new_certificates(wish.out_trusted);
    done.map_err(refused("-out_trusted"))
}

/// Runs transactions, one after the other; the outcome is that of the last one.
pub(crate) fn run(mut context: Context, command: Command, repeat: u64, deck: Deck) -> Outcome {
    clear();
    let deck = Arc::new(Mutex::new(deck));
    let lent = Arc::clone(&deck);
    let hook = context.set_hook(Box::new(move |exchange, request| {
        let mut deck = lent.lock().unwrap_or_else(PoisonError::into_inner);
        deck.carry(exchange, request)
    }));
    let mut done = hook.map_err(Failure::Library);
    for round in 0..repeat {
        if done.is_ok() && round > 0 {
            done = context.begin_anew().map_err(Failure::Library);
        }
        if done.is_ok() {
            deck.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .wire
                .begin();
            done = transact(&mut context, command, &deck);
        }
    }
    let mut outcome = Outcome::of(&context);
    drop(context);
    let mut deck = deck.lock().unwrap_or_else(PoisonError::into_inner);
    outcome.take(&mut deck);
    if let Err(failed) = done
        && (!deck.tape.stops || outcome.requests.is_empty())
    {
        outcome.error = Some(match failed {
            Failure::Wire(error) => error,
            Failure::Library(entries) => failure(&entries, deck.failure.take(), &outcome),
        });
    }
    outcome
}

/// Why a transaction came to nothing.
enum Failure {
    /// OpenSSL says so; perhaps because of the wire.
    Library(Vec<OpenSslEntry>),
    /// The wire says so.
    Wire(Error),
}

/// Runs one transaction.
fn transact(
    context: &mut Context,
    command: Command,
    deck: &Mutex<Deck>,
) -> std::result::Result<(), Failure> {
    let request = match command {
        Command::Rr => return context.request_revocation().map_err(Failure::Library),
        Command::Genm => return context.send_general_message().map_err(Failure::Library),
        Command::Ir => CertRequest::Ir,
        Command::Cr => CertRequest::Cr,
        Command::Kur => CertRequest::Kur,
        Command::P10cr => CertRequest::P10cr,
    };
    loop {
        match context.request_certificate(request) {
            Ok(Progress::Done) => return Ok(()),
            Ok(Progress::Later(seconds)) => {
                let mut deck = deck.lock().unwrap_or_else(PoisonError::into_inner);
                let seconds = u64::try_from(seconds).unwrap_or(0);
                deck.wire.wait(seconds).map_err(Failure::Wire)?;
            }
            Err(entries) => return Err(Failure::Library(entries)),
        }
    }
}
