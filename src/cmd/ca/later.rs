//! `tls::ca -command` and `-progress`: what is done in a thread, and what follows in the event loop (`cmd/later.rs`).
//!
//! A database behind TDBC belongs to the interpreter, so that it is worked with in the event loop, in one piece.

use std::rc::Rc;
use std::time::Duration;

use super::inputs::KINDS;
use super::outcome::{Closing, Ground};
use super::table::TABLE;
use super::task::Work;
use super::words::{self, Words};
use super::{Job, makes_keys};
use crate::ca::folder::Folder;
use crate::ca::store::{Files, Purpose, Store};
use crate::ca::watch::Watch;
use crate::cmd::later::{self, Family, Here, Ready, Signal, Start, Way};
use crate::cmd::sink;
use crate::error::{Error, Reason, Result};
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};

/// The command's operations that go on by themselves.
pub(super) static FAMILY: Family = Family {
    name: "ca",
    kinds: KINDS,
    create: Reason::CaCreate,
};

/// Lets a script watch, which ends the work by an error.
pub(super) struct ScriptWatch(pub(super) Option<Script>);

impl Watch for ScriptWatch {
    fn tell(&mut self, done: u64, total: Option<u64>) -> Result<()> {
        let called = self.0.as_ref();
        let called = called.and_then(|script| script.call(&later::progress_words(done, total)));
        called.map_or(Ok(()), |outcome| outcome.map(|_| ()))
    }

    fn decide(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Lets the owner of a thread watch.
struct ThreadWatch(Signal);

impl ThreadWatch {
    /// Goes on if that is wanted.
    fn go_on(wanted: bool) -> Result<()> {
        match wanted {
            true => Ok(()),
            // Nobody is told: who has ended it knows.
            false => Err(Error::failed(
                Reason::CaCreate,
                "the operation was cancelled",
            )),
        }
    }
}

impl Watch for ThreadWatch {
    fn tell(&mut self, done: u64, total: Option<u64>) -> Result<()> {
        Self::go_on(self.0.tell(done, total))
    }

    fn waits(&mut self) -> Result<()> {
        Self::go_on(self.0.goes_on())
    }

    fn decide(&mut self) -> Result<()> {
        Self::go_on(self.0.decide())
    }
}

/// Begins an operation; the token.
pub(super) fn start(interp: Interp<'_>, all: &[Obj], words: Words, prefix: &Obj) -> Result<Obj> {
    let script = FAMILY.script(interp, prefix)?;
    let mut start = Start {
        interp,
        family: &FAMILY,
        script,
        progress: None,
        outchan: None,
        library: None,
        way: Way::Here(here(all)),
    };
    if makes_keys(&words.given)? {
        return later::start(start);
    }
    let job = Job::new(interp, words)?;
    let work = match job.connection {
        Some(_) => None,
        None => job.work()?,
    };
    if let Some(work) = work {
        let progress = job.reporting.progress.as_ref();
        start.progress = progress.and_then(|prefix| Script::new(interp, prefix));
        start.outchan.clone_from(&job.output.outchan);
        start.library = Some(Rc::clone(&job.library));
        start.way = thread(&job, work)?;
    }
    later::start(start)
}

/// Has the same done in the event loop, by a call without `-command`.
fn here(all: &[Obj]) -> Here {
    let name = Obj::text("::tls::ca");
    let words: Vec<Obj> = [name]
        .into_iter()
        .chain(words::without(&TABLE, all, "-command"))
        .collect();
    Box::new(move |interp| {
        let script = Script::new(interp, &Obj::list(words));
        let called = script.and_then(|script| script.call(&[]));
        called.unwrap_or_else(|| Ok(Obj::empty()))
    })
}

/// A thread of its own.
struct Apart {
    /// Where the database is.
    files: Files,
    /// How long to wait for other commands.
    patience: Duration,
    /// Where outputs wait, each of those that there can be.
    outputs: Vec<sink::Store>,
}

impl Ground for Apart {
    fn open(&mut self, _: Purpose, watch: &mut dyn Watch) -> Result<Box<dyn Store>> {
        let folder = Folder::open(self.files.clone(), self.patience, watch)?;
        Ok(Box::new(folder))
    }

    fn output(&mut self) -> Result<sink::Store> {
        // Nothing on files is done twice.
        self.outputs.pop().ok_or_else(|| Error::panic("tls::ca"))
    }
}

/// Has work done by a thread.
fn thread(job: &Job<'_>, work: Work) -> Result<Way> {
    let outputs = [job.wants_certificates(), job.operations.gencrl.is_some()];
    let outputs = outputs.iter().filter(|wanted| **wanted);
    let mut ground = Apart {
        files: job.files()?,
        patience: job.patience()?,
        outputs: outputs.map(|_| job.waiting()).collect::<Result<_>>()?,
    };
    let closing = Closing::new(job).later();
    Ok(Way::Thread(Box::new(move |signal| {
        let outcome = work(&mut ground, &mut ThreadWatch(signal))?;
        Ok(Box::new(move |interp| {
            let (result, file) = closing.close(interp, outcome)?;
            Ok(Ready { result, file })
        }))
    })))
}
