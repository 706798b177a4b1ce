//! `tls::cms -command`: what is done in a thread, and what follows in the event loop (`cmd/later.rs`).

use std::ffi::CString;
use std::io;
use std::rc::Rc;

use tempfile::NamedTempFile;

use super::places::Input;
use super::plan::{Closing, Plan};
use super::streams::Tell;
use super::{Job, KINDS, option_error};
use crate::cmd::later::{self, Family, Ready, Start, Way, Work};
use crate::cmd::sink::{Sink, Store};
use crate::cms::source::{FileStream, Stream};
use crate::cms::{unreadable, unwritable};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::Properties;
use crate::tcl::Obj;
use crate::tcl::channel::Mask;
use crate::tcl::script::Script;

/// The command's operations that go on by themselves.
pub(super) static FAMILY: Family = Family {
    name: "cms",
    kinds: KINDS,
    create: Reason::CmsCreate,
};

/// What a thread needs, but for the input.
struct Task {
    /// What is done.
    plan: Plan,
    /// A file beside the input.
    beside: Option<Box<dyn Stream + Send>>,
    /// Where the result waits.
    store: Store,
    /// What is done in the end.
    closing: Closing,
    /// The properties that algorithms must have.
    properties: Option<CString>,
}

/// Begins an operation; the token.
pub(super) fn start(job: &Job<'_>, prefix: &Obj) -> Result<Obj> {
    let interp = job.interp;
    let script = FAMILY.script(interp, prefix)?;
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
    let task = Task {
        plan,
        beside,
        store,
        closing: Closing::new(job).later(),
        properties: job.library.properties()?,
    };
    let way = match source {
        Input::Stream(stream) => Way::Thread(task.work(stream)),
        Input::Channel(option, name) => {
            drop(KINDS.channel(interp, option, &name, Mask::READABLE)?);
            Way::Copied(
                name,
                Box::new(|file| {
                    let stream = FileStream::new(file).map_err(unreadable)?;
                    Ok(task.work(Box::new(stream)))
                }),
            )
        }
    };
    let progress = job.streams.progress.as_ref();
    later::start(Start {
        interp,
        family: &FAMILY,
        script,
        progress: progress.and_then(|prefix| Script::new(interp, prefix)),
        outchan,
        library: Some(Rc::clone(&job.library)),
        way,
    })
}

impl Task {
    /// What is done with the input.
    fn work(self, stream: Box<dyn Stream + Send>) -> Work {
        let Self {
            plan,
            beside,
            mut store,
            closing,
            properties,
        } = self;
        Box::new(move |signal| {
            let _properties = Properties::wanted(properties);
            let tell: Tell = Box::new(move |done, total| match signal.tell(done, total) {
                true => Ok(()),
                false => Err(io::Error::other("the operation was cancelled")),
            });
            let beside = beside.map(|beside| beside as Box<dyn Stream>);
            let finding = plan.carry_out(stream, beside, Some(tell), &mut store)?;
            Ok(Box::new(move |interp| {
                let (file, sink) = match store {
                    Store::Named(file) => (Some(file), Sink::memory()),
                    store => (None, Sink::Store(store)),
                };
                let result = closing.close(interp, finding, sink)?;
                Ok(Ready { result, file })
            }))
        })
    }
}
