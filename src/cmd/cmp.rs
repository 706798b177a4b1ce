//! The native part of `tls::cmp`: options to transactions and test servers, and what they are asked and tell.
//!
//! `tls::cmp` itself is a procedure of `library/cmp.tcl`, which with its neighbours carries the messages over Tcl's
//! channels. It starts a job here and is woken when the job wants something.

mod client;
mod inputs;
pub(super) mod office;
mod server;
pub(super) mod table;
mod transport;
mod words;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use openssl::x509::X509;

use self::client::Options;
use self::inputs::{KINDS, Loader, filled, option_error, within};
use self::table::{Mock, Own, Serving, Tls};
use self::words::Words;
use super::library::Library;
use super::pki::Inputs;
use super::sink::{Sinks, Target};
use crate::cmp::answers::Answers;
use crate::cmp::mock::MockServer;
use crate::cmp::outcome::Outcome;
use crate::cmp::session::{Event, Reply, Route, Session};
use crate::cmp::wire::Tape;
use crate::cmp::{client as domain, names};
use crate::error::{Error, Reason, Result};
use crate::opts::groups::Help;
use crate::opts::kinds;
use crate::ossl::secret::Secret;
use crate::tcl::assoc::State;
use crate::tcl::script::Script;
use crate::tcl::wake::Sleeper;
use crate::tcl::{Interp, Obj};

/// What is under way in an interpreter.
#[derive(Default)]
struct Jobs {
    /// The clients.
    clients: RefCell<HashMap<String, Client>>,
    /// The servers.
    servers: RefCell<HashMap<String, MockServer>>,
    /// The real servers.
    offices: RefCell<HashMap<String, Rc<office::Desk>>>,
    /// What was loaded for them.
    libraries: RefCell<HashMap<String, Library>>,
    /// The number of the last job.
    last: Cell<u64>,
}

impl State for Jobs {
    const KEY: &'static str = "tls cmp";
}

/// A client that is under way.
struct Client {
    /// Its transactions.
    session: Session,
    /// What it does when they want something.
    _sleeper: Sleeper,
    /// Where results go.
    files: Files,
    /// The password of the key for TLS.
    password: Secret,
    /// How it ended.
    outcome: Option<Box<Outcome>>,
}

/// The files that results go to.
struct Files {
    /// Options, names and what goes there.
    certificates: Vec<(&'static str, String, Kind)>,
    /// Whether certificates are written as DER.
    der: bool,
    /// Whether revocation lists are.
    list_der: bool,
    /// The root whose update is asked for.
    old_root: Option<X509>,
    /// The file for random bytes.
    random: Option<String>,
    /// The files for requests.
    requests: Vec<String>,
    /// The files for answers.
    answers: Vec<String>,
}

/// Which certificates a file gets.
#[derive(Clone, Copy)]
enum Kind {
    /// The new one.
    New,
    /// Its chain.
    Chain,
    /// Those of authorities.
    Authorities,
    /// The others.
    Extra,
    /// The new root.
    NewRoot,
    /// The new root by the old one.
    NewByOld,
    /// The old root by the new one.
    OldByNew,
    /// The revocation list.
    List,
    /// The template for requests.
    Template,
    /// What keys must be like.
    KeyKinds,
}

impl Jobs {
    /// A name for a new job.
    fn token(&self) -> String {
        self.last.set(self.last.get() + 1);
        format!("::tls::cmp{}", self.last.get())
    }
}

/// `tls::CmpStart words`: begins what the words of `tls::cmp` ask for. The result is a dict: its kind is result, with a
/// value; client, with a token and what the transport has to know; or server, the same.
pub(super) fn start(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [list] = words else {
        return Err(Error::wrong_args("tls::CmpStart words"));
    };
    let list = list.as_list().unwrap_or_default();
    let words = Words::parse(interp, &list)?;
    if Help::read(&words.given)?.help.is_some() {
        return Ok(Obj::dict([
            ("kind", Obj::text("result")),
            ("value", Obj::text(&words::help())),
        ]));
    }
    let inputs = Inputs::new(interp, KINDS, &words.given)?;
    let other = Own::read(&words.given)?.otherpass;
    let loader = Loader::new(inputs, &words, filled(other.as_ref()))?;
    let serving: Serving<Obj> = Serving::read(&words.given)?;
    if let (false, Some(_)) = (words.serves, filled(serving.ca.as_ref())) {
        let message = "-ca is for tls::cmp serve";
        return Err(option_error("-ca", message));
    }
    if words.serves {
        let plan = office::start(interp, &words, &loader)?;
        keep_library(interp, &plan, loader);
        return Ok(plan);
    }
    let mock: Mock<Obj> = Mock::read(&words.given)?;
    let plan = match mock.port {
        Some(port) => start_server(interp, &words, &loader, &mock, port),
        None => start_client(interp, &words, &loader),
    }?;
    keep_library(interp, &plan, loader);
    Ok(plan)
}

/// Keeps what was loaded as long as what was begun.
fn keep_library(interp: Interp<'_>, plan: &Obj, loader: Loader<'_>) {
    if let Some(token) = plan.dict_value("token") {
        let jobs = interp.state::<Jobs>();
        let mut libraries = jobs.libraries.borrow_mut();
        libraries.insert(token.as_text().into_owned(), loader.library);
    }
}

/// Begins a test server.
fn start_server(
    interp: Interp<'_>,
    words: &Words,
    loader: &Loader<'_>,
    mock: &Mock<Obj>,
    port: i64,
) -> Result<Obj> {
    for option in ["-server", "-rspin", "-use_mock_srv", "-tls_used"] {
        let given = words.given.all().rev().find(|one| one.spec.name == option);
        let is_set = given.is_some_and(|one| match &one.value {
            Some(value) => !value.as_text().is_empty(),
            None => true,
        });
        if is_set {
            let message = format!("-port and {option} can't be given together");
            return Err(option_error("-port", message));
        }
    }
    within("-port", Some(port), 0, 65_535)?;
    let most = within("-max_msgs", mock.max_msgs, 0, i64::MAX)?.unwrap_or(0);
    let server = server::mock(words, loader)?;
    let jobs = interp.state::<Jobs>();
    let token = jobs.token();
    jobs.servers.borrow_mut().insert(token.clone(), server);
    let verbosity = words.given.last::<kinds::Int>("-verbosity")?;
    Ok(Obj::dict([
        ("kind", Obj::text("server")),
        ("token", Obj::text(&token)),
        ("port", Obj::int(port)),
        ("most", Obj::int(most)),
        // The program says so at any level; here a level must be asked for.
        ("announce", Obj::bool(verbosity.is_some())),
    ]))
}

/// Begins a client.
fn start_client(interp: Interp<'_>, words: &Words, loader: &Loader<'_>) -> Result<Obj> {
    let options = Options::read(words)?;
    let generic = &options.generic;
    if generic.command.is_some() && generic.info.is_some() {
        let message = "-info and -command can't be given together: the script gets the facts";
        return Err(option_error("-info", message));
    }
    let mut files = files(&options)?;
    let tls: Tls<Obj> = Tls::read(&words.given)?;
    let way = transport::Way::new(&options, &tls, loader)?;
    let mut settings = options.settings(words, loader)?;
    let (command, repeat) = (settings.command, settings.repeat);
    let mut tape = tape(&options, loader, &files)?;
    tape.information = std::mem::take(&mut settings.information);
    tape.questions.clone_from(&settings.wish.questions);
    files.old_root = settings.old_root.take();
    let random = words.texts("-writerand").pop();
    files.random = random.filter(|name| !name.is_empty());
    let seconds = |option: &str, value: Option<i64>| {
        let value = within(option, value, 0, i64::MAX)?;
        let value = value.filter(|value| *value > 0).map(i64::unsigned_abs);
        Ok::<_, Error>(value.map(Duration::from_secs))
    };
    let total = seconds("-total_timeout", options.transfer.total_timeout)?;
    let message = seconds("-msg_timeout", options.transfer.msg_timeout)?;
    if let (Some(message), Some(total)) = (message, total)
        && message > total
    {
        let text = "-msg_timeout can't be longer than -total_timeout";
        return Err(option_error("-msg_timeout", text));
    }
    let route = match &way {
        transport::Way::Mock => Route::Mock(Box::new(server::mock(words, loader)?)),
        transport::Way::Prepared => Route::Nowhere,
        transport::Way::Server(_) => Route::Owner { message, total },
    };
    let context = domain::prepare(settings)?;
    let jobs = interp.state::<Jobs>();
    let token = jobs.token();
    let prefix = Obj::list([Obj::text("::tls::CmpWake"), Obj::text(&token)]);
    let script = Script::new(interp, &prefix);
    let sleeper = Sleeper::new(move || {
        if let Some(script) = &script {
            // What fails there is told in the background.
            let _ = script.call_reporting(&[]);
        }
    });
    let waker = sleeper.waker();
    let wake = Arc::new(move || waker.wake());
    let session = Session::start(context, command, repeat, tape, route, wake)?;
    let password = Loader::pass("-tls_keypass", tls.tls_keypass.as_ref());
    let client = Client {
        session,
        _sleeper: sleeper,
        files,
        password: match password.source {
            Some(source) => loader.inputs.password_from("-tls_keypass", source)?,
            None => Secret::default(),
        },
        outcome: None,
    };
    jobs.clients.borrow_mut().insert(token.clone(), client);
    Ok(Obj::dict([
        ("kind", Obj::text("client")),
        ("token", Obj::text(&token)),
        (
            "command",
            options.generic.command.unwrap_or_else(Obj::empty),
        ),
        (
            "info",
            Obj::text(options.generic.info.as_deref().unwrap_or_default()),
        ),
        ("way", way.describe(&token)),
    ]))
}

/// The files for results.
fn files(options: &Options) -> Result<Files> {
    let (enrollment, checking) = (&options.enrollment, &options.checking);
    let form = |option: &str, value: Option<&String>, default| match filled(value)
        .map(str::to_ascii_uppercase)
        .as_deref()
    {
        None => Ok(default),
        Some("PEM") => Ok(false),
        Some("DER") => Ok(true),
        Some(form) => {
            let message = format!("bad {option} \"{form}\": must be PEM or DER");
            Err(option_error(option, message))
        }
    };
    let generic = &options.generic;
    let all = [
        ("-certout", &enrollment.certout, Kind::New),
        ("-chainout", &enrollment.chainout, Kind::Chain),
        ("-cacertsout", &checking.cacertsout, Kind::Authorities),
        ("-extracertsout", &checking.extracertsout, Kind::Extra),
        ("-newwithnew", &checking.newwithnew, Kind::NewRoot),
        ("-newwithold", &checking.newwithold, Kind::NewByOld),
        ("-oldwithnew", &checking.oldwithnew, Kind::OldByNew),
        ("-crlout", &checking.crlout, Kind::List),
        ("-template", &generic.template, Kind::Template),
        ("-keyspec", &generic.keyspec, Kind::KeyKinds),
    ];
    let certificates = all.into_iter().filter_map(|(option, value, kind)| {
        Some((option, filled(value.as_ref())?.to_owned(), kind))
    });
    let names = |value: Option<&String>| {
        let names = names::items(filled(value).unwrap_or_default());
        names.map(str::to_owned).collect()
    };
    Ok(Files {
        certificates: certificates.collect(),
        der: form("-certform", options.own.certform.as_ref(), false)?,
        list_der: form("-crlform", options.own.crlform.as_ref(), true)?,
        old_root: None,
        random: None,
        requests: names(
            options
                .trial
                .reqout_only
                .as_ref()
                .or(options.trial.reqout.as_ref()),
        ),
        answers: names(options.trial.rspout.as_ref()),
    })
}

/// The tape of prepared and recorded messages.
fn tape(options: &Options, loader: &Loader<'_>, files: &Files) -> Result<Tape> {
    let trial = &options.trial;
    let prepared = filled(trial.rspin.as_ref()).is_some();
    Ok(Tape {
        // The program ignores -reqin where answers are prepared.
        requests: match prepared {
            true => Vec::new(),
            false => loader.messages("-reqin", trial.reqin.as_ref())?,
        }
        .into(),
        new_transaction: trial.reqin_new_tid.is_some(),
        answers: loader.messages("-rspin", trial.rspin.as_ref())?.into(),
        stops: filled(trial.reqout_only.as_ref()).is_some(),
        record_requests: files.requests.len(),
        record_answers: files.answers.len(),
        ..Tape::default()
    })
}

/// The error for a token that names nothing.
fn unknown(token: &str) -> Error {
    Error::usage(
        ["TCL", "LOOKUP", "CMP", token],
        format!("can not find transaction or server \"{token}\""),
    )
}

/// Works on a client.
fn with_client<T>(
    interp: Interp<'_>,
    token: &Obj,
    work: impl FnOnce(&mut Client) -> T,
) -> Result<T> {
    let token = token.as_text();
    let jobs = interp.state::<Jobs>();
    let mut clients = jobs.clients.borrow_mut();
    let client = clients.get_mut(&*token).ok_or_else(|| unknown(&token))?;
    Ok(work(client))
}

/// `tls::CmpNext token`: what a client wants: nothing, `send DER MILLISECONDS`, `wait MILLISECONDS`, or `done`.
pub(super) fn next(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token] = words else {
        return Err(Error::wrong_args("tls::CmpNext token"));
    };
    let time = |time: Duration| Obj::int(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    with_client(interp, token, |client| match client.session.next() {
        None => Obj::empty(),
        Some(Event::Send { request, patience }) => Obj::list([
            Obj::text("send"),
            Obj::bytes(&request),
            // Less than nothing stands for any time.
            patience.map_or_else(|| Obj::int(-1), time),
        ]),
        Some(Event::Wait(duration)) => Obj::list([Obj::text("wait"), time(duration)]),
        Some(Event::Done(outcome)) => {
            client.outcome = Some(outcome);
            Obj::list([Obj::text("done")])
        }
    })
}

/// `tls::CmpReply token answer DER`, `… go`, `… fail DETAIL MESSAGE`: replies to what a client wanted.
pub(super) fn reply(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let syntax = || Error::wrong_args("tls::CmpReply token answer|go|fail ?arg ...?");
    let [token, kind, rest @ ..] = words else {
        return Err(syntax());
    };
    let reply = match (&*kind.as_text(), rest) {
        ("answer", [answer]) => Reply::Answer(answer.as_bytes().unwrap_or_default()),
        ("go", []) => Reply::Go,
        ("fail", [detail, message]) => Reply::Failed(Error::failed_with(
            Reason::CmpTransfer,
            [&*detail.as_text()],
            message.as_text(),
        )),
        _ => return Err(syntax()),
    };
    with_client(interp, token, |client| client.session.reply(reply))?;
    Ok(Obj::empty())
}

/// `tls::CmpPassword token ?arg ...?`: the password of the key for TLS.
pub(super) fn password(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token, ..] = words else {
        return Err(Error::wrong_args("tls::CmpPassword token ?arg ...?"));
    };
    let office = interp.state::<Jobs>();
    let office = office.offices.borrow().get(&*token.as_text()).cloned();
    let text = |password: &Secret| Obj::text(&String::from_utf8_lossy(password));
    match office {
        Some(office) => Ok(text(&office.password)),
        None => with_client(interp, token, |client| text(&client.password)),
    }
}

/// `tls::CmpFinish token`: writes the files of a client that is done, and forgets it. The result is a list: the facts,
/// and for a failure errorCode and message.
pub(super) fn finish(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token] = words else {
        return Err(Error::wrong_args("tls::CmpFinish token"));
    };
    let token = token.as_text();
    let jobs = interp.state::<Jobs>();
    let client = jobs.clients.borrow_mut().remove(&*token);
    let client = client.ok_or_else(|| unknown(&token))?;
    let library = jobs.libraries.borrow_mut().remove(&*token);
    let Some(mut outcome) = client.outcome else {
        return Err(unknown(&token));
    };
    let mut error = outcome.error.take();
    let written = match write(interp, &client.files, &outcome, error.is_none()) {
        Ok(written) => written,
        Err(failed) => {
            error = error.or(Some(failed));
            Vec::new()
        }
    };
    let mut record = outcome.record();
    record.put("files", written);
    let facts = Obj::from(&record);
    // Its keys and algorithms are gone by now.
    drop(outcome);
    drop(library);
    Ok(match error {
        None => Obj::list([facts]),
        Some(error) => Obj::list([
            facts,
            Obj::list(error.code().iter().map(|word| Obj::text(word))),
            Obj::text(&error.message()),
        ]),
    })
}

/// Writes files. Of a transaction that failed there are the recorded messages only. Tells the names.
fn write(
    interp: Interp<'_>,
    files: &Files,
    outcome: &Outcome,
    succeeded: bool,
) -> Result<Vec<String>> {
    let mut sinks = Sinks::default();
    let mut names = Vec::new();
    let mut add = |option: &str, name: &str, content: &[u8]| {
        names.push(name.to_owned());
        sinks.add(interp, Target::new(KINDS, option, name), content)
    };
    for (name, message) in files.requests.iter().zip(&outcome.requests) {
        add("-reqout", name, message)?;
    }
    for (name, message) in files.answers.iter().zip(&outcome.taken) {
        add("-rspout", name, message)?;
    }
    if let Some(name) = &files.random {
        add("-writerand", name, &Library::random(KINDS)?)?;
    }
    if succeeded {
        let answers = Answers::read(&outcome.answers);
        answers.check_update(files.old_root.as_ref())?;
        for (option, name, kind) in &files.certificates {
            if let Some(content) = content(files, outcome, &answers, *kind)? {
                add(option, name, &content)?;
            }
        }
        // One name for two results would lose one of them.
        for (index, (option, name, _)) in files.certificates.iter().enumerate() {
            if files.certificates[..index]
                .iter()
                .any(|(_, other, _)| other == name)
            {
                let message = format!("\"{name}\" of {option} is written already");
                return Err(option_error(option, message));
            }
        }
    }
    sinks.finish()?;
    Ok(names)
}

/// What a file gets; `None` for a file that isn't written.
fn content(
    files: &Files,
    outcome: &Outcome,
    answers: &Answers,
    kind: Kind,
) -> Result<Option<Vec<u8>>> {
    let certificates = match kind {
        Kind::New => outcome.certificate.as_slice(),
        Kind::Chain => &outcome.chain,
        Kind::Authorities if outcome.authorities.is_empty() => &answers.authorities,
        Kind::Authorities => &outcome.authorities,
        Kind::Extra => &outcome.extra,
        Kind::NewRoot => answers.new_root.as_slice(),
        Kind::NewByOld => answers.new_by_old.as_slice(),
        Kind::OldByNew => answers.old_by_new.as_slice(),
        Kind::List => {
            let list = answers.list.as_ref().map(|list| match files.list_der {
                true => list.to_der(),
                false => list.to_pem(),
            });
            return list.transpose().map_err(|_| Error::panic("tls::cmp"));
        }
        Kind::Template => return Ok(answers.template.clone()),
        Kind::KeyKinds => return Ok(answers.key_kinds.clone()),
    };
    let lists = matches!(kind, Kind::Chain | Kind::Authorities | Kind::Extra);
    if !lists && certificates.is_empty() {
        return Ok(None);
    }
    // DER has room for one.
    let count = match files.der {
        true => 1,
        false => certificates.len(),
    };
    let encoded: std::result::Result<Vec<Vec<u8>>, _> = certificates
        .iter()
        .take(count)
        .map(|certificate| match files.der {
            true => certificate.to_der(),
            false => certificate.to_pem(),
        })
        .collect();
    let encoded = encoded.map_err(|_| Error::panic("tls::cmp"))?;
    Ok(Some(encoded.concat()))
}

/// `tls::CmpDrop token`: forgets a client or a server; it is cancelled.
pub(super) fn forget(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token] = words else {
        return Err(Error::wrong_args("tls::CmpDrop token"));
    };
    let token = token.as_text();
    let jobs = interp.state::<Jobs>();
    let client = jobs.clients.borrow_mut().remove(&*token);
    let server = jobs.servers.borrow_mut().remove(&*token);
    let office = jobs.offices.borrow_mut().remove(&*token);
    let library = jobs.libraries.borrow_mut().remove(&*token);
    let found = client.is_some() || server.is_some() || office.is_some();
    // Dropped outside the borrows.
    drop((client, server, office));
    drop(library);
    match found {
        true => Ok(Obj::empty()),
        false => Err(unknown(&token)),
    }
}

/// `tls::CmpAnswer token DER`: what a test server answers.
pub(super) fn answer(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token, request] = words else {
        return Err(Error::wrong_args("tls::CmpAnswer token request"));
    };
    let token = token.as_text();
    let request = request.as_bytes().unwrap_or_default();
    let jobs = interp.state::<Jobs>();
    let mut servers = jobs.servers.borrow_mut();
    let server = servers.get_mut(&*token).ok_or_else(|| unknown(&token))?;
    server.answer(&request).map(|answer| Obj::bytes(&answer))
}
