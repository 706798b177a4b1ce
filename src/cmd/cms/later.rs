//! `-command`: the operation runs in a thread of its own while the event loop goes on.
//!
//! Everything of the interpreter stays in its thread: keys are read and passwords asked before, scripts are called and
//! variables set in the event loop, and channels are copied there from and to temporary files (`library/cms.tcl`).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::places::Input;
use super::plan::{Closing, Finding, Plan};
use super::streams::{self, Tell};
use super::{Job, KINDS, option_error};
use crate::cmd::library::Library;
use crate::cmd::sink::{Sink, Store};
use crate::cms::source::{FileStream, Stream};
use crate::cms::{unreadable, unwritable};
use crate::error::{Error, Reason, Result};
use crate::tcl::assoc::State;
use crate::tcl::channel::Mask;
use crate::tcl::script::Script;
use crate::tcl::wake::{Sleeper, Waker};
use crate::tcl::{Interp, Obj};

/// How long the end of an interpreter waits for a thread that was told to end. One that still waits for a pipe then
/// does nothing else, and may be left behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an interpreter has under way.
#[derive(Default)]
struct Jobs {
    /// How many there were.
    count: Cell<u64>,
    /// Those that are under way, by token.
    running: RefCell<HashMap<String, Running>>,
}

impl State for Jobs {
    const KEY: &'static str = "tls cms";
}

/// What the thread and its owner share.
#[derive(Default)]
struct Shared {
    /// Whether the thread is to end.
    cancelled: AtomicBool,
    /// What the thread tells.
    told: Mutex<Told>,
}

/// What a thread tells.
#[derive(Default)]
struct Told {
    /// How far it is, if that wasn't told already.
    progress: Option<(u64, Option<u64>)>,
    /// What came of it.
    outcome: Option<Result<(Finding, Store)>>,
}

impl Shared {
    /// What is told, for one statement.
    fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The end of a thread, also by a panic: it is told, and wakes who waits for it.
struct Ending {
    /// What is shared with the owner.
    shared: Arc<Shared>,
    /// What wakes him.
    waker: Waker,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if thread::panicking() {
            let panicked = Some(Err(Error::panic("tls::cms")));
            self.shared.told(|told| told.outcome = panicked);
        }
        self.waker.wake();
    }
}

/// What a thread needs.
struct Task {
    /// What is done.
    plan: Plan,
    /// A file beside the input.
    beside: Option<Box<dyn Stream + Send>>,
    /// Where the result waits.
    store: Store,
}

/// An operation under way.
struct Running {
    /// Gets the outcome.
    script: Script,
    /// Gets told how far it is.
    progress: Option<Script>,
    /// What is done in the end.
    closing: Closing,
    /// The channel that gets the result.
    outchan: Option<Obj>,
    /// What the thread is going to need, until the input is there.
    task: Option<Task>,
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
    _library: Rc<Library>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
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

/// Begins an operation; the token.
pub(super) fn start(job: &Job<'_>, prefix: &Obj) -> Result<Obj> {
    let interp = job.interp;
    let Some(script) = Script::new(interp, prefix) else {
        return Err(option_error("-command", "-command needs a command prefix"));
    };
    if job.releases_early()? {
        let message = "-release early and -command contradict each other";
        return Err(option_error("-release", message));
    }
    let plan = job.plan()?;
    let source = job.source(&plan)?;
    let beside = job.beside(&plan)?;
    let (store, outchan) = match &job.output.outchan {
        Some(name) if job.output.out.is_none() => {
            drop(KINDS.channel(interp, "-outchan", name, Mask::WRITABLE)?);
            let file = NamedTempFile::new().map_err(unwritable)?;
            (Store::Named(file), Some(name.clone()))
        }
        _ => match job.output(plan.checked)? {
            Sink::Store(store) => (store, None),
            Sink::Early(_) | Sink::Late(..) => return Err(Error::panic("tls::cms")),
        },
    };
    let jobs = interp.state::<Jobs>();
    jobs.count.set(jobs.count.get() + 1);
    let token = format!("cms{}", jobs.count.get());
    let (keeper, name) = (interp.keep(), token.clone());
    let mut running = Running {
        script,
        progress: job
            .streams
            .progress
            .as_ref()
            .and_then(|prefix| Script::new(interp, prefix)),
        closing: Closing::new(job),
        outchan,
        task: Some(Task {
            plan,
            beside,
            store,
        }),
        copied: None,
        result: None,
        shared: Arc::default(),
        thread: None,
        sleeper: Sleeper::new(move || {
            keeper.with(|interp| woken(interp, &name));
        }),
        _library: Rc::clone(&job.library),
    };
    match source {
        Input::Stream(stream) => {
            running.begin(stream)?;
            jobs.running.borrow_mut().insert(token.clone(), running);
        }
        Input::Channel(option, name) => {
            drop(KINDS.channel(interp, option, &name, Mask::READABLE)?);
            let file = NamedTempFile::new().map_err(unreadable)?;
            let path = path_word(file.path());
            running.copied = Some(file);
            jobs.running.borrow_mut().insert(token.clone(), running);
            copy(interp, "CmsSpool", &token, &name, &path);
        }
    }
    Ok(Obj::text(&token))
}

impl Running {
    /// Begins with the input.
    fn begin(&mut self, stream: Box<dyn Stream + Send>) -> Result<()> {
        let Some(Task {
            plan,
            beside,
            mut store,
        }) = self.task.take()
        else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let waker = self.sleeper.waker();
        let tells = self.progress.is_some();
        let work = move || {
            let stop = Arc::clone(&shared);
            let wake = waker.clone();
            let tell: Tell = Box::new(move |done, total| {
                if stop.cancelled.load(Ordering::Relaxed) {
                    return Err(io::Error::other("the operation was cancelled"));
                }
                if tells {
                    stop.told(|told| told.progress = Some((done, total)));
                    wake.wake();
                }
                Ok(())
            });
            let outcome = plan.carry_out(
                stream,
                beside.map(|beside| beside as Box<dyn Stream>),
                Some(tell),
                &mut store,
            );
            shared.told(|told| told.outcome = Some(outcome.map(|finding| (finding, store))));
        };
        let ending = Ending {
            shared: Arc::clone(&self.shared),
            waker: self.sleeper.waker(),
        };
        let thread = thread::Builder::new()
            .name("tls-cms".to_owned())
            .spawn(move || {
                let _ending = ending;
                work();
            });
        let failed =
            |error| Error::failed(Reason::CmsCreate, format!("no thread can be made: {error}"));
        self.thread = Some(thread.map_err(failed)?);
        Ok(())
    }
}

/// A thread has told something, or has ended.
fn woken(interp: Interp<'_>, token: &str) {
    let jobs = interp.state::<Jobs>();
    let told = jobs.running.borrow().get(token).map(|running| {
        let (progress, outcome) = running
            .shared
            .told(|told| (told.progress.take(), told.outcome.take()));
        (running.progress.clone(), progress, outcome)
    });
    let Some((script, progress, outcome)) = told else {
        return;
    };
    if let (Some(script), Some((done, total))) = (script, progress)
        && let Some(Err(error)) = script.call(&streams::progress_words(done, total))
    {
        return end(interp, token, Err(error));
    }
    match outcome {
        Some(Ok((finding, store))) => found(interp, token, finding, store),
        Some(Err(error)) => end(interp, token, Err(error)),
        None => {}
    }
}

/// Writes what was found.
fn found(interp: Interp<'_>, token: &str, finding: Finding, store: Store) {
    let jobs = interp.state::<Jobs>();
    let Some(running) = jobs.running.borrow_mut().remove(token) else {
        return;
    };
    let closing = running.closing.clone();
    let (file, sink) = match store {
        Store::Named(file) => (Some(file), Sink::memory()),
        store => (None, Sink::Store(store)),
    };
    jobs.running.borrow_mut().insert(token.to_owned(), running);
    // Its variables may have traces that end the operation.
    let result = closing.close(interp, finding, sink);
    let next = match (result, file) {
        (Ok(result), Some(file)) => jobs
            .running
            .borrow_mut()
            .get_mut(token)
            .and_then(|running| {
                let path = path_word(file.path());
                running.copied = Some(file);
                running.result = Some(result);
                Some((running.outchan.clone()?, path))
            }),
        (result, _) => return end(interp, token, result),
    };
    if let Some((channel, path)) = next {
        copy(interp, "CmsDeliver", token, &channel, &path);
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

/// A path for a script.
fn path_word(path: &Path) -> Obj {
    Obj::text(&path.to_string_lossy())
}

/// `tls::CmsCopied token ?message?`: a channel was copied; with a message, that failed.
pub(in crate::cmd) fn copied(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    match words {
        [token] => copy_ended(interp, &token.as_text(), None),
        [token, message] => copy_ended(interp, &token.as_text(), Some(&message.as_text())),
        _ => return Err(Error::wrong_args("tls::CmsCopied token ?message?")),
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
        let is_input = running.task.is_some();
        match (message, running.copied.take(), running.result.take()) {
            (Some(message), ..) => Some(Err(Error::failed(
                match is_input {
                    true => Reason::CmsRead,
                    false => Reason::CmsWrite,
                },
                message,
            ))),
            (None, Some(file), _) if is_input => match FileStream::new(file.into_file()) {
                Ok(stream) => running.begin(Box::new(stream)).err().map(Err),
                Err(error) => Some(Err(unreadable(error))),
            },
            (None, _, result) => Some(Ok(result.unwrap_or_else(Obj::empty))),
        }
    };
    if let Some(outcome) = next {
        end(interp, token, outcome);
    }
}

/// `tls::cms cancel token`: ends an operation; its script isn't called, and nothing is written.
pub(super) fn cancel(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token] = words else {
        return Err(Error::wrong_args("tls::cms cancel token"));
    };
    let token = token.as_text();
    let jobs = interp.state::<Jobs>();
    let running = jobs.running.borrow_mut().remove(&*token);
    match running {
        Some(_) => Ok(Obj::empty()),
        None => Err(Error::usage(
            ["TCL", "LOOKUP", "CMS", &token],
            format!("can not find operation \"{token}\""),
        )),
    }
}
