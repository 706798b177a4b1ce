//! `tls::ca`: a certificate authority with the words of `openssl ca`.
//!
//! The table of options is in `ca/table.rs`, most of them are in `options.rs`. A call is a [`Job`], which reads what its options name. What is done is put
//! together in `ca/issue.rs`, `list.rs`, `revoke.rs` and `care.rs` and carried out (`ca/task.rs`) right here, or in a
//! thread while the event loop goes on (`ca/later.rs`); `ca/verify.rs` and `ocsp.rs` need the interpreter. Whatever can
//! be refused is refused before the database is locked.

mod ask;
mod authority;
mod bundle;
mod care;
mod create;
mod database;
mod inputs;
mod issue;
mod later;
mod list;
mod ocsp;
mod options;
mod outcome;
mod revoke;
mod shortcuts;
mod surroundings;
pub(super) mod table;
mod task;
mod verify;
mod words;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::ask::Asking;
use self::authority::configuration;
use self::bundle::Bundling;
use self::database::connection;
use self::inputs::{KINDS, Password, check_access, option_error};
use self::later::ScriptWatch;
use self::ocsp::Answering;
use self::options::{Making, Operations, Place, Reporting, Revoking};
use self::outcome::{Closing, Ground, Outcome};
use self::shortcuts::Shortcuts;
use self::table::TABLE;
use self::task::{Task, Work};
use self::verify::Verifying;
use self::words::Words;
use crate::ca::config::{self, Config};
use crate::ca::lock::Lock;
use crate::ca::store::{Purpose, Store};
use crate::ca::watch::Watch;
use crate::cmd::library::Library;
use crate::cmd::pki::Inputs;
use crate::cmd::sink;
use crate::error::Result;
use crate::opts::Given;
use crate::opts::groups::{Help, Output};
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};

/// `tls::ca ?operation? ?options? ?request ...?`, `tls::ca cancel token`
pub(super) fn ca(interp: Interp<'_>, all: &[Obj]) -> Result<Obj> {
    if let [first, rest @ ..] = all
        && &*first.as_text() == "cancel"
    {
        return later::FAMILY.cancel(interp, rest);
    }
    let words = Words::parse(&TABLE, all)?;
    if Help::read(&words.given)?.help.is_some() {
        return Ok(Obj::text(&TABLE.summary("ca [options] [certreq...]")));
    }
    check_access(interp)?;
    match Reporting::read(&words.given)?.command {
        Some(prefix) => later::start(interp, all, words, &prefix),
        None => run(interp, words),
    }
}

/// Does what the words say, at once.
fn run(interp: Interp<'_>, words: Words) -> Result<Obj> {
    if let Some(folder) = Operations::read(&words.given)?.newca {
        return create::run(interp, &words, &folder);
    }
    match makes_keys(&words.given)? {
        true => ask::run(interp, &words),
        false => Job::new(interp, words)?.run(),
    }
}

/// Whether the operation is one that makes keys, and needs no authority that is there.
fn makes_keys(given: &Given<Obj>) -> Result<bool> {
    let newca = Operations::read(given)?.newca;
    Ok(newca.is_some() || Asking::read(given)?.is_asked())
}

/// A call of the command.
struct Job<'a> {
    /// The interpreter.
    interp: Interp<'a>,
    /// The words.
    words: Words,
    /// What new keys are like.
    asking: Asking<Obj>,
    /// What is done.
    operations: Operations<Obj>,
    /// Where it goes.
    output: Output<Obj>,
    /// What accompanies it.
    reporting: Reporting<Obj>,
    /// Where everything is.
    place: Place<Obj>,
    /// What certificates become.
    making: Making<Obj>,
    /// Revocation.
    revoking: Revoking<Obj>,
    /// Reads what options name.
    inputs: Inputs<'a>,
    /// The password of the private key.
    password: Password,
    /// The configuration.
    config: Arc<Config>,
    /// The TDBC connection that `-database` names.
    connection: Option<String>,
    /// How certificates are shown: bits for names and for certificates.
    shown: (u64, u64),
    /// What was loaded for the call.
    library: Rc<Library>,
    /// Now.
    now: i64,
}

impl<'a> Job<'a> {
    /// Takes the options apart and reads the configuration.
    fn new(interp: Interp<'a>, mut words: Words) -> Result<Self> {
        let given = &words.given;
        let mut place = Place::read(given)?;
        let inputs = Inputs::new(interp, KINDS, given)?;
        let password = Password::read(given, &place)?;
        let reporting = Reporting::read(given)?;
        let (text, file) = configuration(&inputs, place.config.as_deref())?;
        let conf = config::parse(&text, &file)?;
        // A file that can't be read is passed over, as the program does.
        if let Some(objects) = config::object_file(&conf)
            && let Ok(text) = files::read(&objects)
        {
            config::create_objects_of(&text, &objects)?;
        }
        config::create_objects(&conf, &file)?;
        let config = Config::new(conf, &file, place.name.as_deref())?;
        let shown = surroundings::shown_form(&config)?;
        let library = surroundings::library(&inputs, &words, &config)?;
        let mut operations = Operations::read(given)?;
        let mut output = Output::read(given)?;
        let (mut making, revoking) = (Making::read(given)?, Revoking::read(given)?);
        let shortcuts = Shortcuts::read(given)?;
        shortcuts.expand(
            &mut words,
            &mut operations,
            &mut output,
            &mut place,
            &mut making,
            &config,
            revoking.delta.is_some(),
        )?;
        Ok(Self {
            interp,
            asking: Asking::read(&words.given)?,
            operations,
            output,
            making,
            revoking,
            config: Arc::new(config),
            connection: place
                .database
                .as_deref()
                .and_then(|word| connection(interp, word)),
            place,
            inputs,
            password,
            reporting,
            words,
            shown,
            library: Rc::new(library),
            now: now(),
        })
    }

    /// Does what is asked.
    fn run(&self) -> Result<Obj> {
        let closing = Closing::new(self);
        let outcome = match self.work()? {
            Some(work) => {
                let mut here = Here {
                    job: self,
                    turn: None,
                };
                work(&mut here, &mut self.watch())?
            }
            None => self.operate()?,
        };
        closing.close_with(self.interp, self.output.outchan.as_ref(), outcome)
    }

    /// Who watches what is done here.
    fn watch(&self) -> ScriptWatch {
        let prefix = self.reporting.progress.as_ref();
        ScriptWatch(prefix.and_then(|prefix| Script::new(self.interp, prefix)))
    }

    /// What is to be done, if nothing but a database needs the interpreter for it. Whatever can be refused without
    /// that is refused here.
    fn work(&self) -> Result<Option<Work>> {
        // A mask that is none is told even if no name is to be made.
        self.with_mask(|| Ok(()))?;
        let given = &self.words.given;
        let operations = &self.operations;
        if operations.status.is_some()
            || Verifying::read(given)?.verify.is_some()
            || Answering::read(given)?.ocsp.is_some()
            || Bundling::read(given)?.pkcs12.is_some()
            || operations.import.is_some()
            || operations.export.is_some()
        {
            return Ok(None);
        }
        if operations.check.is_some() {
            return self.check();
        }
        if operations.rebuild.is_some() {
            return self.rebuild();
        }
        let task = self.task()?;
        Ok(Some(Box::new(move |open, watch| {
            task.carry_out(open, watch)
        })))
    }

    /// What certificates, lists and records need.
    fn task(&self) -> Result<Task> {
        let operations = &self.operations;
        let issuing = self.wants_certificates();
        let listing = operations.gencrl.is_some();
        let revoking = operations.revoke.as_ref().or(operations.valid.as_ref());
        if !issuing && !listing && revoking.is_none() && operations.updatedb.is_none() {
            return Err(option_error(
                "operation",
                "nothing to do: give a request, -gencrl, -revoke, -valid, -status or -updatedb",
            ));
        }
        if self.revoking.delta.is_some() && !listing {
            return Err(option_error("-delta", "-delta goes with -gencrl"));
        }
        let authority = match issuing || listing {
            true => Some(self.authority()?),
            false => None,
        };
        Ok(Task {
            config: Arc::clone(&self.config),
            updating: operations.updatedb.map(|()| self.reporting.info.is_some()),
            issuing: match &authority {
                Some(authority) if issuing => Some(self.issuing(authority)?),
                _ => None,
            },
            listing: match listing {
                true => Some(self.listing()?),
                false => None,
            },
            revocation: revoking.map(|file| self.revocation(file)).transpose()?,
            authority,
            now: self.now,
        })
    }

    /// Does what needs the interpreter.
    fn operate(&self) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let verifying = Verifying::read(&self.words.given)?;
        let answering = Answering::read(&self.words.given)?;
        let bundling = Bundling::read(&self.words.given)?;
        if let Some(serial) = &self.operations.status {
            self.status(serial, &mut outcome)?;
        } else if verifying.verify.is_some() {
            self.verify(&verifying, &mut outcome)?;
        } else if answering.ocsp.is_some() {
            self.answer(&answering, &mut outcome)?;
        } else if bundling.pkcs12.is_some() {
            self.bundle(&bundling, &mut outcome)?;
        } else if self.operations.check.is_some() {
            return self.check_database();
        } else if self.operations.rebuild.is_some() {
            return self.rebuild_database();
        } else {
            self.transfer(&mut outcome)?;
        }
        Ok(outcome)
    }
}

/// The interpreter's thread.
struct Here<'a> {
    /// The call.
    job: &'a Job<'a>,
    /// What keeps others from the file of a revocation list.
    turn: Option<Lock>,
}

impl Ground for Here<'_> {
    fn open(&mut self, purpose: Purpose, watch: &mut dyn Watch) -> Result<Box<dyn Store>> {
        self.turn = self.job.list_turn(watch)?;
        self.job.store(purpose)
    }

    fn output(&mut self) -> Result<sink::Store> {
        self.job.waiting()
    }
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| {
        i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
    })
}
