//! The native part of `tls::cmp`: options to transactions and test servers, and what they are asked and tell.
//!
//! `tls::cmp` itself is a procedure of `library/cmp.tcl`, which with its neighbours carries the messages over Tcl's
//! channels. It starts a job here and is woken when the job wants something.

mod client;
mod inputs;
pub(super) mod office;
mod results;
mod server;
pub(super) mod state;
pub(super) mod table;
mod transport;
mod words;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::client::Options;
use self::inputs::{KINDS, Loader, filled, option_error, within};
use self::results::Files;
use self::table::{Mock, Own, Serving, Tls};
use self::words::Words;
use super::library::Library;
use super::pki::Inputs;
use crate::cmp::client as domain;
use crate::cmp::mock::MockServer;
use crate::cmp::outcome::Outcome;
use crate::cmp::session::{Event, Reply, Route, Session};
use crate::cmp::wire::Tape;
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
    if let Some(option) = words.first_of(&["-server", "-rspin", "-use_mock_srv", "-tls_used"]) {
        let message = format!("-port and {option} can't be given together");
        return Err(option_error("-port", message));
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
    let mut files = Files::new(&options)?;
    let tls: Tls<Obj> = Tls::read(&words.given)?;
    let way = transport::Way::new(&options, &tls, &words.given, loader)?;
    let mut settings = options.settings(words, loader)?;
    files.load(&options, loader)?;
    let (command, repeat) = (settings.command, settings.repeat);
    let mut tape = tape(&options, loader, &files)?;
    tape.information = std::mem::take(&mut settings.information);
    tape.questions.clone_from(&settings.wish.questions);
    files.old_root = settings.old_root.take();
    files.random(words.given.texts("-writerand").pop());
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
    let client = Client {
        session,
        _sleeper: sleeper,
        files,
        password: way.password(),
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
    let written = match client.files.write(interp, &outcome, error.is_none()) {
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
