//! `-command`: an operation goes on in a thread of its own, and its script gets the outcome in the event loop.
//!
//! Everything of the interpreter stays in its thread: keys are read and passwords asked before, scripts are called and
//! variables set in the event loop, and channels are copied there from and to temporary files (`library/later.tcl`).
//! What can't do without the interpreter at all is done there in one piece.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::library::Library;
use super::pki::Kinds;
use crate::error::{Error, Reason, Result};
use crate::tcl::assoc::State;
use crate::tcl::script::Script;
use crate::tcl::wake::{Sleeper, Waker};
use crate::tcl::{Interp, Obj};

/// How long the end of an interpreter waits for a thread that was told to end. One that still waits for a pipe then
/// does nothing else, and may be left behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command whose operations may go on by themselves.
pub(super) struct Family {
    /// Its name without the namespace, with which tokens begin.
    pub(super) name: &'static str,
    /// The reasons for its errors.
    pub(super) kinds: Kinds,
    /// The reason for an operation that can't be begun.
    pub(super) create: Reason,
}

/// An operation that is to go on by itself.
pub(super) struct Start<'a> {
    /// The interpreter.
    pub(super) interp: Interp<'a>,
    /// Whose it is.
    pub(super) family: &'static Family,
    /// Gets the outcome.
    pub(super) script: Script,
    /// Gets told how far it is.
    pub(super) progress: Option<Script>,
    /// The channel that gets the result.
    pub(super) outchan: Option<Obj>,
    /// What the algorithms come from.
    pub(super) library: Option<Rc<Library>>,
    /// What is done.
    pub(super) way: Way,
}

/// How an operation is done.
pub(super) enum Way {
    /// In a thread.
    Thread(Work),
    /// In a thread, once a channel's bytes are in a file.
    Copied(Obj, Box<dyn FnOnce(File) -> Result<Work>>),
    /// In the event loop.
    Here(Here),
}

/// What is done in the event loop.
pub(super) type Here = Box<dyn FnOnce(Interp<'_>) -> Result<Obj>>;

/// What a thread does.
pub(super) type Work = Box<dyn FnOnce(Signal) -> Result<Sequel> + Send>;

/// What follows in the interpreter's thread: it writes what was found.
pub(super) type Sequel = Box<dyn FnOnce(Interp<'_>) -> Result<Ready> + Send>;

/// What comes of an operation.
pub(super) struct Ready {
    /// What its script gets.
    pub(super) result: Obj,
    /// What its channel gets before.
    pub(super) file: Option<NamedTempFile>,
}

/// What an interpreter has under way.
#[derive(Default)]
struct Jobs {
    /// How many there were.
    count: Cell<u64>,
    /// Those that are under way, by token.
    running: RefCell<HashMap<String, Running>>,
}

impl State for Jobs {
    const KEY: &'static str = "tls later";
}

/// What the thread and its owner share.
#[derive(Default)]
struct Shared {
    /// Which of the two comes first: the end that the owner wants, or the decision to make changes.
    fate: AtomicU8,
    /// What the thread tells.
    told: Mutex<Told>,
}

/// The fates of an operation: still open, ended by its owner, or decided so that it can't be ended any more.
const OPEN: u8 = 0;
const ENDED: u8 = 1;
const DECIDED: u8 = 2;

/// What a thread tells.
#[derive(Default)]
struct Told {
    /// How far it is, if that wasn't told already.
    progress: Option<(u64, Option<u64>)>,
    /// What came of it.
    outcome: Option<Result<Sequel>>,
}

impl Shared {
    /// What is told, for one statement.
    fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Settles an open fate; tells whether it is now the one that was wanted.
    fn settle(&self, fate: u8) -> bool {
        let order = Ordering::SeqCst;
        match self.fate.compare_exchange(OPEN, fate, order, order) {
            Ok(_) => true,
            Err(present) => present == fate,
        }
    }
}

/// A thread's side of an operation.
#[derive(Clone)]
pub(super) struct Signal {
    /// What is shared with the owner.
    shared: Arc<Shared>,
    /// What wakes him.
    waker: Waker,
    /// Whether anybody is told how far it is.
    tells: bool,
}

impl Signal {
    /// Whether the operation is to go on; false once its owner has ended it.
    pub(super) fn goes_on(&self) -> bool {
        self.shared.fate.load(Ordering::SeqCst) != ENDED
    }

    /// From here on nobody can end the operation; false if somebody has.
    pub(super) fn decide(&self) -> bool {
        self.shared.settle(DECIDED)
    }

    /// Tells how far the operation is; false once it is to end.
    pub(super) fn tell(&self, done: u64, total: Option<u64>) -> bool {
        if self.tells {
            self.shared.told(|told| told.progress = Some((done, total)));
            self.waker.wake();
        }
        self.goes_on()
    }
}

/// The end of a thread, also by a panic: it is told, and wakes who waits for it.
struct Ending {
    /// What is shared with the owner.
    shared: Arc<Shared>,
    /// What wakes him.
    waker: Waker,
    /// Whose operation it is.
    family: &'static Family,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if thread::panicking() {
            let panicked = Error::panic(&format!("tls::{}", self.family.name));
            self.shared.told(|told| told.outcome = Some(Err(panicked)));
        }
        self.waker.wake();
    }
}

/// An operation under way.
struct Running {
    /// Whose it is.
    family: &'static Family,
    /// Gets the outcome.
    script: Script,
    /// Gets told how far it is.
    progress: Option<Script>,
    /// The channel that gets the result.
    outchan: Option<Obj>,
    /// What is done, until it is begun.
    way: Option<Way>,
    /// The input or the result, while a channel is copied.
    copied: Option<NamedTempFile>,
    /// What the script gets once a channel has the result.
    result: Option<Obj>,
    /// What is shared with the thread.
    shared: Arc<Shared>,
    /// The thread.
    thread: Option<JoinHandle<()>>,
    /// What the thread wakes.
    sleeper: Sleeper,
    /// What the algorithms come from.
    _library: Option<Rc<Library>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.settle(ENDED);
        let Some(thread) = self.thread.take() else {
            return;
        };
        // Waiting for the thread keeps it from using OpenSSL while the process ends.
        let deadline = Instant::now() + PATIENCE;
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Family {
    /// The script of `-command`.
    pub(super) fn script(&self, interp: Interp<'_>, prefix: &Obj) -> Result<Script> {
        Script::new(interp, prefix).ok_or_else(|| {
            self.kinds
                .refuse("-command", "-command needs a command prefix")
        })
    }

    /// `tls::NAME cancel token`: ends an operation; its script isn't called, and nothing is written. It is an error if
    /// it has been decided that something is.
    pub(super) fn cancel(&self, interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
        let [token] = words else {
            let syntax = format!("tls::{} cancel token", self.name);
            return Err(Error::wrong_args(&syntax));
        };
        let token = token.as_text();
        let jobs = interp.state::<Jobs>();
        let mut running = jobs.running.borrow_mut();
        let own = running
            .get(&*token)
            .filter(|running| running.family.name == self.name);
        let Some(own) = own else {
            return Err(Error::usage(
                ["TCL", "LOOKUP", &self.name.to_ascii_uppercase(), &token],
                format!("can not find operation \"{token}\""),
            ));
        };
        if !own.shared.settle(ENDED) {
            let message =
                format!("operation \"{token}\" is making its changes, and can't be ended");
            return Err(self.kinds.refuse("cancel", message));
        }
        let ended = running.remove(&*token);
        drop(running);
        drop(ended);
        Ok(Obj::empty())
    }
}

/// Begins an operation; the token.
pub(super) fn start(start: Start<'_>) -> Result<Obj> {
    let interp = start.interp;
    let jobs = interp.state::<Jobs>();
    jobs.count.set(jobs.count.get() + 1);
    let token = format!("{}{}", start.family.name, jobs.count.get());
    let (keeper, name) = (interp.keep(), token.clone());
    let mut running = Running {
        family: start.family,
        script: start.script,
        progress: start.progress,
        outchan: start.outchan,
        way: None,
        copied: None,
        result: None,
        shared: Arc::default(),
        thread: None,
        sleeper: Sleeper::new(move || {
            keeper.with(|interp| woken(interp, &name));
        }),
        _library: start.library,
    };
    let mut channel = None;
    match start.way {
        Way::Thread(work) => running.begin(work)?,
        Way::Copied(name, then) => {
            let refused =
                |error: std::io::Error| Error::failed(running.family.kinds.read, error.to_string());
            let file = NamedTempFile::new().map_err(refused)?;
            channel = Some((name.clone(), path_word(file.path())));
            running.copied = Some(file);
            running.way = Some(Way::Copied(name, then));
        }
        Way::Here(work) => {
            running.way = Some(Way::Here(work));
            running.sleeper.waker().wake();
        }
    }
    jobs.running.borrow_mut().insert(token.clone(), running);
    if let Some((channel, path)) = channel {
        copy(interp, "LaterSpool", &token, &channel, &path);
    }
    Ok(Obj::text(&token))
}

impl Running {
    /// Begins a thread.
    fn begin(&mut self, work: Work) -> Result<()> {
        let signal = Signal {
            shared: Arc::clone(&self.shared),
            waker: self.sleeper.waker(),
            tells: self.progress.is_some(),
        };
        let ending = Ending {
            shared: Arc::clone(&self.shared),
            waker: self.sleeper.waker(),
            family: self.family,
        };
        let thread = thread::Builder::new()
            .name(format!("tls-{}", self.family.name))
            .spawn(move || {
                let _ending = ending;
                let shared = Arc::clone(&signal.shared);
                let outcome = work(signal);
                shared.told(|told| told.outcome = Some(outcome));
            });
        let failed = |error| {
            Error::failed(
                self.family.create,
                format!("no thread can be made: {error}"),
            )
        };
        self.thread = Some(thread.map_err(failed)?);
        Ok(())
    }
}

/// A thread has told something, or has ended; or what is done here can begin.
fn woken(interp: Interp<'_>, token: &str) {
    let jobs = interp.state::<Jobs>();
    let told = jobs.running.borrow_mut().get_mut(token).map(|running| {
        let here = match running.way.take() {
            Some(Way::Here(work)) => Some(work),
            way => {
                running.way = way;
                None
            }
        };
        let shared = Arc::clone(&running.shared);
        (here, running.progress.clone(), shared)
    });
    let Some((here, progress, shared)) = told else {
        return;
    };
    if let Some(work) = here {
        // Once begun it is done before anybody could end it, but for its own scripts.
        shared.settle(DECIDED);
        return end(interp, token, work(interp));
    }
    let (told, outcome) = shared.told(|told| (told.progress.take(), told.outcome.take()));
    if let (Some(script), Some((done, total))) = (progress, told)
        && let Some(Err(error)) = script.call(&progress_words(done, total))
    {
        // An error of the script ends the operation, unless it comes too late for that.
        match shared.settle(ENDED) {
            true => return end(interp, token, Err(error)),
            false => script.report(&error),
        }
    }
    match outcome {
        Some(Ok(sequel)) => found(interp, token, sequel),
        Some(Err(error)) => end(interp, token, Err(error)),
        None => {}
    }
}

/// Writes what was found.
fn found(interp: Interp<'_>, token: &str, sequel: Sequel) {
    let jobs = interp.state::<Jobs>();
    if !jobs.running.borrow().contains_key(token) {
        return;
    }
    // The scripts behind its variables may end the operation.
    let ready = match sequel(interp) {
        Ok(ready) => ready,
        Err(error) => return end(interp, token, Err(error)),
    };
    let Some(file) = ready.file else {
        return end(interp, token, Ok(ready.result));
    };
    let next = jobs
        .running
        .borrow_mut()
        .get_mut(token)
        .and_then(|running| {
            let path = path_word(file.path());
            running.copied = Some(file);
            running.result = Some(ready.result);
            Some((running.outchan.clone()?, path))
        });
    if let Some((channel, path)) = next {
        copy(interp, "LaterDeliver", token, &channel, &path);
    }
}

/// The end of an operation: its script is called.
fn end(interp: Interp<'_>, token: &str, outcome: Result<Obj>) {
    let jobs = interp.state::<Jobs>();
    let Some(running) = jobs.running.borrow_mut().remove(token) else {
        return;
    };
    let script = running.script.clone();
    drop(running);
    let code = |code: i64| ("-code", Obj::int(code));
    let (result, facts) = match outcome {
        Ok(result) => (result, Obj::dict([code(0)])),
        Err(error) => {
            let words = error.code().into_iter().map(|word| Obj::text(&word));
            let facts = Obj::dict([code(1), ("-errorcode", Obj::list(words))]);
            (Obj::text(&error.message()), facts)
        }
    };
    // An error of the script is told in the background.
    let _ = script.call_reporting(&[Obj::text(token), result, facts]);
}

/// Copies a channel to or from a file, in the event loop.
fn copy(interp: Interp<'_>, procedure: &str, token: &str, channel: &Obj, path: &Obj) {
    let prefix = Obj::list([Obj::text(&format!("::tls::{procedure}")), Obj::text(token)]);
    if let Some(script) = Script::new(interp, &prefix)
        && let Some(Err(error)) = script.call(&[channel.clone(), path.clone()])
    {
        copy_ended(interp, token, Some(&error.message()));
    }
}

/// The words that a progress script gets: what is done, and of how much, which is empty where that isn't known.
pub(super) fn progress_words(done: u64, total: Option<u64>) -> [Obj; 2] {
    let count = |count: u64| Obj::int(i64::try_from(count).unwrap_or(i64::MAX));
    [count(done), total.map_or_else(Obj::empty, count)]
}

/// The name of a variable that is set in the event loop, where there is none but global ones.
pub(super) fn global(name: &str) -> String {
    match name.starts_with("::") {
        true => name.to_owned(),
        false => format!("::{name}"),
    }
}

/// A path for a script.
fn path_word(path: &Path) -> Obj {
    Obj::text(&path.to_string_lossy())
}

/// `tls::LaterCopied token ?message?`: a channel was copied; with a message, that failed.
pub(super) fn copied(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    match words {
        [token] => copy_ended(interp, &token.as_text(), None),
        [token, message] => copy_ended(interp, &token.as_text(), Some(&message.as_text())),
        _ => return Err(Error::wrong_args("tls::LaterCopied token ?message?")),
    }
    Ok(Obj::empty())
}

/// A channel was copied, or that failed.
fn copy_ended(interp: Interp<'_>, token: &str, message: Option<&str>) {
    let jobs = interp.state::<Jobs>();
    let next = {
        let mut running = jobs.running.borrow_mut();
        let Some(running) = running.get_mut(token) else {
            return;
        };
        let kinds = running.family.kinds;
        match (message, running.copied.take(), running.way.take()) {
            (Some(message), _, way) => {
                let reason = match way {
                    Some(_) => kinds.read,
                    None => kinds.write,
                };
                Some(Err(Error::failed(reason, message)))
            }
            (None, Some(file), Some(Way::Copied(_, then))) => {
                let begun = then(file.into_file()).and_then(|work| running.begin(work));
                begun.err().map(Err)
            }
            _ => Some(Ok(running.result.take().unwrap_or_else(Obj::empty))),
        }
    };
    if let Some(outcome) = next {
        end(interp, token, outcome);
    }
}
