//! `tls::ca`: a certificate authority with the words of `openssl ca`.
//!
//! The table of options is in `ca/table.rs`; here each operation is a short function from options to a call of the
//! domain. Whatever can be refused is refused before the database is locked.

mod ask;
mod create;
mod database;
mod inputs;
mod ocsp;
mod shortcuts;
mod surroundings;
pub(super) mod table;
mod verify;
mod words;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::ssl::{SslContext, SslMethod};
use openssl::x509::{X509, X509Crl, X509Name};

use self::ask::Asking;
use self::database::{Database, connection};
use self::inputs::{Passwords, check_access, load, option_error, shown};
use self::ocsp::Answering;
use self::shortcuts::Shortcuts;
use self::table::{Making, Operations, Output, Place, Revoking};
use self::verify::Verifying;
use self::words::Words;
use crate::ca::authority::Authority;
use crate::ca::check;
use crate::ca::config::{self, Config};
use crate::ca::copying::Copying;
use crate::ca::crl::{self, Plan};
use crate::ca::delta::{self, Base};
use crate::ca::disk;
use crate::ca::folder::Folder;
use crate::ca::issue::{End, Issuer, Numbering, Profile, policy_fields};
use crate::ca::journal::Change;
use crate::ca::rebuild;
use crate::ca::request::{self, Applicant, Encoding, check_characters};
use crate::ca::revoke::{self, Cause};
use crate::ca::serial::Serial;
use crate::ca::store::{Files, Purpose, Store};
use crate::ca::transfer;
use crate::cmd::library::Library;
use crate::error::{Error, Reason, Result};
use crate::ossl::conf::Conf;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj, files};
use crate::value::{Record, Value};
use crate::x509::{name, time};

/// `tls::ca ?operation? ?options? ?request ...?`
pub(super) fn ca(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let words = Words::parse(words)?;
    if Operations::read(&words.given)?.help.is_some() {
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
    /// Where everything is.
    place: Place<Obj>,
    /// What certificates become.
    making: Making<Obj>,
    /// Revocation.
    revoking: Revoking<Obj>,
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
        let (text, file) = configuration(place.config.as_deref())?;
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
        let library = surroundings::library(interp, &words, &config)?;
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
        surroundings::write_random(&self.words, &self.config)?;
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
        match &self.output.info {
            Some(name) => self.interp.set_variable(&Obj::text(name), &Obj::from(info)),
            None => Ok(()),
        }
    }

    // ---- What is asked --------------------------------------------------------------------------

    /// Whether certificates are to be issued.
    fn wants_certificates(&self) -> bool {
        let operations = &self.operations;
        operations.input.is_some()
            || operations.data.is_some()
            || operations.inchan.is_some()
            || operations.ss_cert.is_some()
            || operations.spkac.is_some()
            || operations.infiles.is_some()
            || !self.words.requests.is_empty()
    }

    /// Everybody who asks for a certificate.
    fn applicants(&self) -> Result<Vec<Applicant>> {
        let operations = &self.operations;
        let parameters = self.words.texts("-vfyopt");
        let mut applicants = Vec::new();
        if let Some(file) = &operations.spkac {
            let content = load("-spkac", file)?;
            let made = self.with_mask(|| Applicant::spkac(&content, shown(file), self.utf8()));
            let mut applicant = made?;
            applicant.wants_der &= self.output.out.is_some() || self.output.outchan.is_some();
            applicants.push(applicant);
        }
        if let Some(file) = &operations.ss_cert {
            let bytes = load("-ss_cert", file)?;
            applicants.push(Applicant::certificate(&bytes, shown(file), &parameters)?);
        }
        let encoding = encoding("-inform", operations.inform.as_deref())?;
        let proven = operations.proven.is_some();
        if let Some(bytes) = &operations.data {
            let applicant = Applicant::request(bytes, proven, encoding, "-data", &parameters)?;
            applicants.push(applicant);
        }
        if let Some(name) = &operations.inchan {
            let bytes = self.everything_from(name)?;
            applicants.push(Applicant::request(
                &bytes,
                proven,
                encoding,
                "-inchan",
                &parameters,
            )?);
        }
        let files = operations.input.iter().chain(&self.words.requests);
        let loaded = files.map(|file| Ok((file.as_str(), load("-in", file)?)));
        let loaded: Vec<(&str, Vec<u8>)> = loaded.collect::<Result<_>>()?;
        applicants.extend(Applicant::requests(&loaded, proven, encoding, &parameters)?);
        if applicants.is_empty() && operations.infiles.is_some() {
            return Err(option_error("-infiles", "-infiles without a request"));
        }
        Ok(applicants)
    }

    /// Whether names may go beyond Latin-1.
    fn utf8(&self) -> bool {
        self.making.utf8.is_some() || self.config.truth("utf8", false)
    }

    // ---- The authority --------------------------------------------------------------------------

    /// The authority's certificate and key.
    fn authority(&self) -> Result<Authority> {
        let own = self.making.selfsign.is_some()
            && self.operations.spkac.is_none()
            && self.operations.ss_cert.is_none()
            && self.operations.gencrl.is_none();
        let passwords = Passwords::of(self.interp, &self.place);
        let file = self.or_config(self.place.keyfile.as_ref(), "private_key")?;
        let key = match self.library.engine_key("-keyfile", &file) {
            Some(key) => key?,
            None => passwords.key("-keyfile", &file)?,
        };
        let certificate = match own {
            true => None,
            false => Some(self.certificate()?),
        };
        let digest = match &self.making.md {
            Some(name) => Some(name.clone()),
            None if Authority::brings_digest(&key) => None,
            None => self.config.value("default_md"),
        };
        Authority::new(
            certificate,
            key,
            digest.as_deref(),
            self.words.texts("-sigopt"),
            self.making.propquery.clone(),
        )
    }

    /// The authority's certificate.
    fn certificate(&self) -> Result<X509> {
        let form = self.place.certform.as_deref();
        if !form.is_some_and(|word| word.eq_ignore_ascii_case("P12")) {
            encoding("-certform", form)?;
        }
        let file = self.or_config(self.place.cert.as_ref(), "certificate")?;
        request::certificate(&load("-cert", &file)?, shown(&file))
    }

    /// The value of an option, or else of a key that must then be there.
    fn or_config(&self, option: Option<&String>, key: &str) -> Result<String> {
        match option {
            Some(value) => Ok(value.clone()),
            None => self.config.required(key),
        }
    }

    /// The database. One in files is locked whatever the purpose.
    fn store(&self, purpose: Purpose) -> Result<Box<dyn Store>> {
        Ok(match self.database(purpose)? {
            Some(database) => Box::new(database),
            None => Box::new(Folder::open(self.files()?, self.patience()?)?),
        })
    }

    /// The database behind a connection, if that is what `-database` names.
    fn database(&self, purpose: Purpose) -> Result<Option<Database>> {
        let connection = self.connection.as_deref();
        connection
            .map(|name| Database::new(self.interp, name, purpose, self.patience()?))
            .transpose()
    }

    /// The same for an operation that works on nothing else.
    fn connected(&self, operation: &str, purpose: Purpose) -> Result<Database> {
        self.database(purpose)?.ok_or_else(|| {
            option_error(
                "-database",
                format!("{operation} needs -database with a TDBC connection"),
            )
        })
    }

    /// Where the database is, if it is in files.
    fn files(&self) -> Result<Files> {
        let file = match (&self.connection, &self.place.database) {
            (None, Some(file)) => Some(file.as_str()),
            _ => None,
        };
        self.config.files(file)
    }

    /// How long to wait for other commands.
    fn patience(&self) -> Result<Duration> {
        match self.place.locktimeout.unwrap_or(60_000) {
            wait @ 0.. => Ok(Duration::from_millis(wait.unsigned_abs())),
            _ => Err(option_error(
                "-locktimeout",
                "-locktimeout can't be below zero",
            )),
        }
    }

    /// The folder of issued certificates.
    fn folder(&self) -> Result<PathBuf> {
        let name = self.or_config(self.output.outdir.as_ref(), "new_certs_dir")?;
        let folder = PathBuf::from(&name);
        match disk::is_folder(&folder) {
            // The journal may be read from another working directory.
            true => Ok(disk::resolve(&folder)),
            false => {
                let message = format!("there is no folder \"{name}\" for new certificates");
                Err(Error::failed_with(Reason::CaWrite, [&name], message))
            }
        }
    }

    // ---- Care -----------------------------------------------------------------------------------

    /// Looks for what doesn't fit; the result has a line for each finding.
    fn check(&self, outcome: &mut Outcome) -> Result<()> {
        let issuer = self.certificate()?;
        let list = match (&self.operations.crlfile, self.config.value("crl")) {
            (None, Some(file)) if files::native(&file).is_ok_and(|path| path.exists()) => {
                Some(revocation_list("crl", &file)?)
            }
            (file, _) => file
                .as_ref()
                .map(|file| revocation_list("-crlfile", file))
                .transpose()?,
        };
        let findings = match self.database(Purpose::Look)? {
            Some(mut database) => check::check_vault(&mut database, &issuer, list.as_ref())?,
            None => {
                let (files, folder) = (self.files()?, self.folder()?);
                check::check(&files, &folder, &issuer, list.as_ref(), self.patience()?)?
            }
        };
        for finding in &findings {
            outcome.result.extend_from_slice(finding.message.as_bytes());
            outcome.result.push(b'\n');
        }
        let records = findings
            .iter()
            .map(|finding| Value::Record(finding.record()));
        outcome.info.put("findings", records.collect::<Vec<_>>());
        Ok(())
    }

    /// Makes the database again.
    fn rebuild(&self, outcome: &mut Outcome) -> Result<()> {
        if self.connection.is_some() {
            return Err(option_error(
                "-rebuild",
                "-rebuild makes the authority's files again; -import makes a database of them",
            ));
        }
        let (issuer, folder) = (self.certificate()?, self.folder()?);
        let list = self.operations.crlfile.as_ref();
        let list = list.map(|file| revocation_list("-crlfile", file));
        let list = list.transpose()?;
        let files = self.files()?;
        let made = rebuild::rebuild(
            &files,
            &folder,
            &issuer,
            list.as_ref(),
            self.now,
            self.patience()?,
        )?;
        outcome
            .info
            .put("records", i64::try_from(made.rows).unwrap_or(i64::MAX));
        outcome.info.put("skipped", made.skipped);
        Ok(())
    }

    /// Moves the authority between its files and a database.
    fn transfer(&self, outcome: &mut Outcome) -> Result<()> {
        let named = self.output.outdir.is_some() || self.config.value("new_certs_dir").is_some();
        let folder = match named {
            true => Some(self.folder()?),
            false => None,
        };
        let (files, patience) = (self.config.files(None)?, self.patience()?);
        let moved = match self.operations.import {
            Some(_) => {
                let mut database = self.connected("-import", Purpose::Change)?;
                transfer::import(files, folder.as_deref(), patience, &mut database)?
            }
            None => {
                let mut database = self.connected("-export", Purpose::Change)?;
                transfer::export(&mut database, &files, folder.as_deref(), patience)?
            }
        };
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        outcome.info.put("records", count(moved.records));
        outcome.info.put("certificates", count(moved.certificates));
        Ok(())
    }

    // ---- Issuing --------------------------------------------------------------------------------

    /// What is the same for every certificate.
    fn profile(&self, selfsign: bool) -> Result<Profile> {
        let (making, config) = (&self.making, &self.config);
        let policy = self.or_config(self.place.policy.as_ref(), "policy")?;
        let (section, extension_file) = self.extensions()?;
        Ok(Profile {
            fields: policy_fields(config, &policy)?,
            subject: making
                .subj
                .as_deref()
                .map(|text| self.with_mask(|| subject(text, self.utf8())))
                .transpose()?,
            preserve: making.preserve.is_some() || config.truth_of_ca("preserve"),
            email_in_dn: making.no_email.is_none() && config.truth("email_in_dn", true),
            msie_hack: making.msie_hack.is_some() || config.truth_of_ca("msie_hack"),
            strict: making.strict.is_some(),
            selfsign,
            start: self.start()?,
            end: self.end()?,
            section,
            extension_file,
            copying: self.copying()?,
            numbering: match (
                making.rand_serial.is_some() || config.truth("rand_serial", false),
                making.create_serial.is_some(),
            ) {
                (true, _) => Numbering::Random,
                (false, true) => Numbering::CounterOrStart,
                (false, false) => Numbering::Counter,
            },
            folder: match (&self.connection, &self.output.outdir) {
                (Some(_), None) => None,
                _ => Some(self.folder()?),
            },
            text: self.output.notext.is_none(),
            iso_dates: self.iso_dates()?,
            shown: self.shown,
            least_bits: least_bits(),
        })
    }

    /// The section of extensions, and the file that it is in.
    fn extensions(&self) -> Result<(Option<String>, Option<Conf>)> {
        let asked = self.making.extensions.clone();
        let Some(file) = &self.making.extfile else {
            let section = asked.or_else(|| self.config.value("x509_extensions"));
            if let Some(section) = &section {
                self.config.section(section)?;
            }
            return Ok((section, None));
        };
        let conf = config::parse(&load("-extfile", file)?, shown(file))?;
        let section = asked.or_else(|| conf.value(None, "extensions"));
        let section = section.unwrap_or_else(|| "default".to_owned());
        if conf.section(&section).is_none() {
            let message = format!("\"{}\" has no section \"{section}\"", shown(file));
            return Err(Error::failed_with(
                Reason::CaRead,
                [shown(file), &section],
                message,
            ));
        }
        Ok((Some(section), Some(conf)))
    }

    /// When certificates begin.
    fn start(&self) -> Result<Option<i64>> {
        let (given, what) = match &self.making.startdate {
            Some(text) => (Some(text.clone()), "-startdate"),
            None => (self.config.value("default_startdate"), "default_startdate"),
        };
        match given.as_deref() {
            None | Some("today") => Ok(None),
            Some(text) => moment(what, text).map(Some),
        }
    }

    /// When certificates end.
    fn end(&self) -> Result<End> {
        let days = |days: i64| match days {
            1.. => Ok(End::Days(days)),
            _ => Err(option_error("-days", "-days must be above zero")),
        };
        if let Some(text) = &self.making.enddate {
            return moment("-enddate", text).map(End::At);
        }
        if let Some(text) = self.config.value("default_enddate") {
            return moment("default_enddate", &text).map(End::At);
        }
        if let Some(number) = self.making.days {
            return days(number);
        }
        match self.config.number("default_days")? {
            Some(number) => days(number),
            None => Err(option_error(
                "-days",
                "no end: there is none of -days, -enddate, default_days and default_enddate",
            )),
        }
    }

    /// What becomes of requested extensions.
    fn copying(&self) -> Result<Copying> {
        let word = self.config.value("copy_extensions").unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "" | "none" => Ok(Copying::None),
            "copy" => Ok(Copying::Missing),
            "copyall" => Ok(Copying::All),
            _ => Err(self.config.bad(
                "copy_extensions",
                &format!("\"{word}\" must be none, copy, or copyall"),
            )),
        }
    }

    /// Whether dates are shown as ISO 8601 has them.
    fn iso_dates(&self) -> Result<bool> {
        match self.output.dateopt.as_deref() {
            None | Some("rfc_822") => Ok(false),
            Some("iso_8601") => Ok(true),
            Some(word) => Err(option_error(
                "-dateopt",
                format!("bad date form \"{word}\": must be iso_8601 or rfc_822"),
            )),
        }
    }

    /// Asks the script of `-confirm`.
    fn confirm(&self, issuer: &Issuer<'_>, applicants: &[Applicant]) -> Result<()> {
        let prefix = self.output.confirm.as_ref();
        let Some(script) = prefix.and_then(|prefix| Script::new(self.interp, prefix)) else {
            return issuer.check(applicants, None);
        };
        let mut ask = |record: &Record| {
            let answer = script.call(&[Obj::from(record)]).unwrap_or_else(|| {
                Err(Error::failed(Reason::CaConfirm, "the interpreter is gone"))
            })?;
            answer.as_bool().ok_or_else(|| {
                let message = format!(
                    "-confirm returned \"{}\", which is no boolean",
                    answer.as_text()
                );
                Error::failed(Reason::CaConfirm, message)
            })
        };
        issuer.check(applicants, Some(&mut ask))
    }

    /// Issues certificates.
    fn issue(
        &self,
        issuer: &Issuer<'_>,
        applicants: &[Applicant],
        store: &mut dyn Store,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let issued = issuer.issue(applicants, store)?;
        let out = self.out(&mut |sink| sink(&issued.output))?;
        store.commit(issued.changes)?;
        outcome.add(out.finish()?);
        let records = issued
            .records
            .into_iter()
            .map(Value::Record)
            .collect::<Vec<_>>();
        outcome.step(format!("issued {} certificates", applicants.len()));
        outcome.info.put("issued", records);
        Ok(())
    }

    // ---- Revocation -----------------------------------------------------------------------------

    /// Makes a revocation list.
    fn list(
        &self,
        authority: &Authority,
        store: &mut dyn Store,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let section = self
            .revoking
            .crlexts
            .clone()
            .or_else(|| self.config.value("crl_extensions"));
        if let Some(section) = &section {
            self.config.section(section)?;
        }
        let base = self.base(authority)?;
        let number = store.crl_number()?;
        let (this_update, next_update) = self.list_times()?;
        let plan = Plan {
            this_update,
            next_update,
            extensions: section
                .as_deref()
                .map(|section| (self.config.conf(), section)),
            number: number.clone(),
            base: base.as_ref().map(|(base, _)| base.number.clone()),
        };
        let mut record = Record::new();
        let list = match &base {
            Some((base, source)) => {
                let made = delta::generate(authority, &plan, base, source, store)?;
                record.put("base", base.number.to_string());
                record.put("removed", i64::try_from(made.removed).unwrap_or(i64::MAX));
                made.list
            }
            None => crl::generate(authority, &plan, store)?,
        };
        let out = self.out(&mut |sink| list.write_pem(sink))?;
        let mut changes = Vec::new();
        // What has ended may only leave once a complete list has had it.
        if base.is_none() {
            changes.push(Change::Listed(this_update));
        }
        changes.extend(
            number
                .as_ref()
                .map(|number| Change::CrlNumber(number.next())),
        );
        store.commit(changes)?;
        outcome.add(out.finish()?);
        if let Some(number) = number {
            record.put("number", number.to_string());
        }
        record.put("entries", i64::try_from(list.len()).unwrap_or(i64::MAX));
        record.put("lastUpdate", time::text(this_update));
        record.put("nextUpdate", time::text(next_update));
        outcome.step(format!("made a list of {} certificates", list.len()));
        outcome.info.put("crl", record);
        Ok(())
    }

    /// The complete list that a delta list is to add to, and its name for messages.
    fn base(&self, authority: &Authority) -> Result<Option<(Base, String)>> {
        let Some(file) = &self.revoking.delta else {
            return Ok(None);
        };
        let source = shown(file).to_owned();
        let list = revocation_list("-delta", file)?;
        let base = Base::new(&list, authority.certificate()?, &source)?;
        Ok(Some((base, source)))
    }

    /// When the list is made, and when the next one comes.
    fn list_times(&self) -> Result<(i64, i64)> {
        let revoking = &self.revoking;
        let this = match &revoking.crl_lastupdate {
            Some(text) => moment("-crl_lastupdate", text)?,
            None => self.now,
        };
        let next = match &revoking.crl_nextupdate {
            Some(text) => moment("-crl_nextupdate", text)?,
            None => self.now.saturating_add(self.list_span()?),
        };
        match next > this {
            true => Ok((this, next)),
            false => Err(option_error(
                "-crl_nextupdate",
                "the next revocation list would come before this one",
            )),
        }
    }

    /// How many seconds pass until the next list.
    fn list_span(&self) -> Result<i64> {
        let revoking = &self.revoking;
        let given =
            [revoking.crldays, revoking.crlhours, revoking.crlsec].map(Option::unwrap_or_default);
        if given.iter().any(|number| *number < 0) {
            return Err(option_error(
                "-crldays",
                "the time until the next list can't be below zero",
            ));
        }
        let [days, hours, seconds] = match given {
            [0, 0, 0] => [
                self.config.number("default_crl_days")?.unwrap_or_default(),
                self.config.number("default_crl_hours")?.unwrap_or_default(),
                0,
            ],
            given => given,
        };
        let span = days
            .saturating_mul(86_400)
            .saturating_add(hours.saturating_mul(3_600))
            .saturating_add(seconds);
        match span {
            0 => Err(option_error(
                "-crldays",
                "nothing says when the next revocation list comes: neither -crldays, -crlhours, -crlsec or \
                 -crl_nextupdate nor default_crl_days or default_crl_hours",
            )),
            span => Ok(span),
        }
    }

    /// The certificate to be revoked or entered, and the authority's.
    fn revocation(&self, file: &str) -> Result<(X509, X509)> {
        let option = match self.operations.revoke {
            Some(_) => "-revoke",
            None => "-valid",
        };
        let certificate = request::certificate(&load(option, file)?, shown(file))?;
        Ok((certificate, self.certificate()?))
    }

    /// Revokes a certificate, or enters it.
    fn revoke(
        &self,
        certificate: &X509,
        issuer: &X509,
        store: &mut dyn Store,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let force = self.place.force.is_some();
        let (key, done) = match self.operations.revoke {
            Some(_) => {
                let cause = self.cause()?;
                let done =
                    revoke::revoke(store, certificate, Some(issuer), &cause, force, self.now)?;
                ("revoked", done)
            }
            None => (
                "entered",
                revoke::enter(store, certificate, Some(issuer), force)?,
            ),
        };
        store.commit(done.changes)?;
        outcome.step(format!("{key} a certificate"));
        outcome.info.put(key, done.record);
        Ok(())
    }

    /// Why a certificate is revoked: what the last of the four options says.
    fn cause(&self) -> Result<Cause> {
        let options = [
            "-crl_reason",
            "-crl_hold",
            "-crl_compromise",
            "-crl_CA_compromise",
        ];
        match self.words.last_of(&options) {
            None => Ok(Cause::None),
            Some(("-crl_reason", word)) => Cause::reason(&word),
            Some(("-crl_hold", instruction)) => Cause::hold(&instruction),
            Some((option, text)) => Cause::since(option, &text, option == "-crl_CA_compromise"),
        }
    }

    /// Marks what has ended.
    fn update(&self, store: &mut dyn Store, outcome: &mut Outcome) -> Result<()> {
        let told = self.output.info.is_some();
        let mut ended = Vec::new();
        let changes = revoke::expire(store, self.now, &mut |row| {
            if told {
                ended.push(Value::Record(revoke::describe(row)));
            }
        })?;
        if !changes.is_empty() {
            store.commit(changes)?;
        }
        outcome.step("marked what has ended");
        outcome.info.put("expired", ended);
        Ok(())
    }

    /// Looks a serial number up.
    fn status(&self, text: &str, outcome: &mut Outcome) -> Result<()> {
        let serial = Serial::parse(text.as_bytes()).ok_or_else(|| {
            option_error(
                "-status",
                format!("bad serial number \"{text}\": must be hexadecimal digits"),
            )
        })?;
        let mut store = self.store(Purpose::Look)?;
        let row = store.record(&serial)?;
        let word = row.as_ref().map_or("unknown", |row| row.status.word());
        outcome.result.extend_from_slice(word.as_bytes());
        let mut record = Record::new();
        record.put("serial", serial.to_string());
        record.put("status", word);
        if let Some(row) = row {
            record.extend(revoke::describe(&row));
        }
        outcome.info.put("status", record);
        outcome.info.put("repaired", store.repairs().to_vec());
        Ok(())
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

/// The revocation list of a file.
fn revocation_list(option: &str, file: &str) -> Result<X509Crl> {
    let lists = revocation_lists(option, file)?;
    let first = lists.into_iter().next();
    first.ok_or_else(|| Error::failed_with(Reason::CaRead, [shown(file)], "no revocation list"))
}

/// The revocation lists of a file, at least one.
fn revocation_lists(option: &str, file: &str) -> Result<Vec<X509Crl>> {
    let bytes = load(option, file)?;
    crate::x509::load::crls(&bytes).map_err(|problem| {
        let file = shown(file);
        let message = format!("can't read a revocation list from \"{file}\": {problem}");
        Error::failed_with(Reason::CaRead, [file], message)
    })
}

/// The configuration's text and its name.
fn configuration(option: Option<&str>) -> Result<(Vec<u8>, String)> {
    if let Some(text) = option.filter(|value| value.contains('\n')) {
        return Ok((text.as_bytes().to_vec(), "configuration text".to_owned()));
    }
    let file = match option {
        Some(file) => file.to_owned(),
        None => std::env::var("OPENSSL_CONF").unwrap_or_else(|_| built_in_configuration()),
    };
    load("-config", &file).map(|bytes| (bytes, file))
}

/// The configuration that OpenSSL was built to use.
fn built_in_configuration() -> String {
    let folder = openssl::version::dir();
    let folder = folder.trim_start_matches("OPENSSLDIR: ").trim_matches('"');
    format!("{folder}/openssl.cnf")
}

/// The form that a word names.
fn encoding(option: &str, word: Option<&str>) -> Result<Option<Encoding>> {
    match word.map(str::to_ascii_uppercase).as_deref() {
        None => Ok(None),
        Some("PEM") => Ok(Some(Encoding::Pem)),
        Some("DER") => Ok(Some(Encoding::Der)),
        Some(word) => Err(option_error(
            option,
            format!("bad form \"{word}\": must be DER or PEM"),
        )),
    }
}

/// The time that an option or a key gives.
fn moment(what: &str, text: &str) -> Result<i64> {
    time::parse(text).map_err(|problem| option_error(what, problem.to_string()))
}

/// The subject that `-subj` gives.
fn subject(text: &str, utf8: bool) -> Result<X509Name> {
    check_characters(text, utf8, text)?;
    let made = name::parse_slash(text).and_then(|sets| name::build(&sets));
    made.map_err(|problem| option_error("-subj", problem.to_string()))
}

/// How many bits of security OpenSSL wants by its default security level.
fn least_bits() -> u32 {
    /// The bits of the levels 0 to 5.
    const BITS: [u32; 6] = [0, 80, 112, 128, 192, 256];
    static LEAST: OnceLock<u32> = OnceLock::new();
    *LEAST.get_or_init(|| {
        let context = SslContext::builder(SslMethod::tls());
        let level = context.map_or(1, |context| context.build().security_level());
        BITS.get(usize::try_from(level).unwrap_or_default())
            .copied()
            .unwrap_or(256)
    })
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| {
        i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
    })
}
