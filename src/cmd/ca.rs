//! `tls::ca`: a certificate authority with the words of `openssl ca`.
//!
//! The table of options is in `ca/table.rs`. A call is a [`Job`]; here is the order of what it does, and its parts are in
//! `ca/issue.rs`, `list.rs`, `revoke.rs`, `care.rs`, `verify.rs` and `ocsp.rs`: short functions from options to a call of
//! the domain, with what `ca/authority.rs` finds. Whatever can be refused is refused before the database is locked.

mod ask;
mod authority;
mod care;
mod create;
mod database;
mod inputs;
mod issue;
mod list;
mod ocsp;
mod revoke;
mod shortcuts;
mod surroundings;
pub(super) mod table;
mod verify;
mod words;

use std::time::{SystemTime, UNIX_EPOCH};

use self::ask::Asking;
use self::authority::configuration;
use self::database::connection;
use self::inputs::{KINDS, Password, check_access, option_error};
use self::ocsp::Answering;
use self::shortcuts::Shortcuts;
use self::table::{Making, Operations, Place, Reporting, Revoking};
use self::verify::Verifying;
use self::words::Words;
use crate::ca::config::{self, Config};
use crate::ca::issue::{Issuer, Numbering};
use crate::ca::store::{Purpose, Store};
use crate::cmd::library::Library;
use crate::cmd::pki::Inputs;
use crate::error::Result;
use crate::opts::groups::{Help, Output};
use crate::tcl::{Interp, Obj, files};
use crate::value::Record;

/// `tls::ca ?operation? ?options? ?request ...?`
pub(super) fn ca(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let words = Words::parse(words)?;
    if Help::read(&words.given)?.help.is_some() {
        return Ok(Obj::text(&words::help()));
    }
    check_access(interp)?;
    if let Some(folder) = Operations::read(&words.given)?.newca {
        return create::run(interp, &words, &folder);
    }
    let asking = Asking::read(&words.given)?;
    if asking.newreq.is_some() || asking.newcert.is_some() {
        return ask::run(interp, &words);
    }
    Job::new(interp, words)?.run()
}

/// A call of the command.
struct Job<'a> {
    /// The interpreter.
    interp: Interp<'a>,
    /// The words.
    words: Words,
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
    config: Config,
    /// The TDBC connection that `-database` names.
    connection: Option<String>,
    /// How certificates are shown: bits for names and for certificates.
    shown: (u64, u64),
    /// What was loaded for the call.
    library: Library,
    /// Now.
    now: i64,
}

/// What a call has done so far.
#[derive(Default)]
struct Outcome {
    /// The result.
    result: Vec<u8>,
    /// What `-info` gets.
    info: Record,
    /// The steps, for `-verbose`.
    steps: Vec<String>,
}

impl Outcome {
    /// Notes a step.
    fn step(&mut self, what: impl Into<String>) {
        self.steps.push(what.into());
    }

    /// Adds to the result.
    fn add(&mut self, bytes: Vec<u8>) {
        // A list of a million entries isn't copied.
        match self.result.is_empty() {
            true => self.result = bytes,
            false => self.result.extend_from_slice(&bytes),
        }
    }
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
        let (making, revoking) = (Making::read(given)?, Revoking::read(given)?);
        let shortcuts = Shortcuts::read(given)?;
        shortcuts.expand(
            &mut words,
            &mut operations,
            &mut output,
            &mut place,
            &config,
            revoking.delta.is_some(),
        )?;
        Ok(Self {
            interp,
            operations,
            output,
            making,
            revoking,
            config,
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
            library,
            now: now(),
        })
    }

    /// Does what is asked.
    fn run(&self) -> Result<Obj> {
        // A mask that is none is told even if no name is to be made.
        self.with_mask(|| Ok(()))?;
        let done = self.operate()?;
        let random = self.words.texts("-writerand").pop();
        if let Some(file) = random.or_else(|| self.config.random_file()) {
            surroundings::write_random(self.interp, &file)?;
        }
        Ok(done)
    }

    /// Does what is asked, in the program's order.
    fn operate(&self) -> Result<Obj> {
        let mut outcome = Outcome::default();
        if let Some(serial) = &self.operations.status {
            self.status(serial, &mut outcome)?;
            return self.tell(outcome);
        }
        let verifying = Verifying::read(&self.words.given)?;
        if verifying.verify.is_some() {
            self.verify(&verifying, &mut outcome)?;
            return self.tell(outcome);
        }
        let answering = Answering::read(&self.words.given)?;
        if answering.ocsp.is_some() {
            self.answer(&answering, &mut outcome)?;
            return self.tell(outcome);
        }
        if self.operations.check.is_some() {
            self.check(&mut outcome)?;
            return self.tell(outcome);
        }
        if self.operations.rebuild.is_some() {
            self.rebuild(&mut outcome)?;
            return self.tell(outcome);
        }
        if self.operations.import.is_some() || self.operations.export.is_some() {
            self.transfer(&mut outcome)?;
            return self.tell(outcome);
        }
        let issuing = self.wants_certificates();
        let listing = self.operations.gencrl.is_some();
        let revoking = self
            .operations
            .revoke
            .as_ref()
            .or(self.operations.valid.as_ref());
        if !issuing && !listing && revoking.is_none() && self.operations.updatedb.is_none() {
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
        let profile = match issuing {
            true => Some(
                self.profile(
                    authority
                        .as_ref()
                        .is_some_and(|authority| authority.certificate.is_none()),
                )?,
            ),
            false => None,
        };
        let applicants = self.applicants()?;
        let issuer = match (&authority, &profile) {
            (Some(authority), Some(profile)) => Some(Issuer {
                authority,
                config: &self.config,
                profile,
                now: self.now,
            }),
            _ => None,
        };
        if let Some(issuer) = &issuer {
            self.confirm(issuer, &applicants)?;
        }
        let revocation = match revoking {
            Some(file) => Some(self.revocation(file)?),
            None => None,
        };
        let random = profile
            .as_ref()
            .is_some_and(|profile| profile.numbering == Numbering::Random);
        let others = listing || revocation.is_some() || self.operations.updatedb.is_some();
        let purpose = match random && !others {
            true => Purpose::Add,
            false => Purpose::Change,
        };
        let mut store = self.store(purpose)?;
        let store = store.as_mut();
        outcome.step("opened the database");
        if self.operations.updatedb.is_some() {
            insist(store, &mut |store| self.update(store, &mut outcome))?;
        }
        if let Some(issuer) = &issuer {
            insist(store, &mut |store| {
                self.issue(issuer, &applicants, store, &mut outcome)
            })?;
        }
        if let (true, Some(authority)) = (listing, &authority) {
            insist(store, &mut |store| {
                self.list(authority, store, &mut outcome)
            })?;
        }
        if let Some((certificate, issuer)) = revocation {
            insist(store, &mut |store| {
                self.revoke(&certificate, &issuer, store, &mut outcome)
            })?;
        }
        outcome.info.put("repaired", store.repairs().to_vec());
        if let Some(count) = store.len() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            outcome.info.put("records", count);
        }
        self.tell(outcome)
    }

    /// Stores the facts, and gives the result.
    fn tell(&self, mut outcome: Outcome) -> Result<Obj> {
        if surroundings::is_verbose(&self.words.given) {
            outcome.info.put("steps", outcome.steps);
        }
        self.remember(&outcome.info)?;
        Ok(Obj::bytes(&outcome.result))
    }

    /// Stores facts in the variable of `-info`.
    fn remember(&self, info: &Record) -> Result<()> {
        match &self.reporting.info {
            Some(name) => self.interp.set_variable(&Obj::text(name), &Obj::from(info)),
            None => Ok(()),
        }
    }
}

/// Does work on a database, again if others have spoilt it.
fn insist(store: &mut dyn Store, work: &mut dyn FnMut(&mut dyn Store) -> Result<()>) -> Result<()> {
    loop {
        match work(store) {
            Err(error) if store.may_repeat(&error) => {}
            done => return done,
        }
    }
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| {
        i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
    })
}
