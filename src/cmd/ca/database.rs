//! A certificate database behind a TDBC connection.
//!
//! All SQL is in `library/ca-database.tcl` and the files beside it; here the domain's questions become calls of that
//! script, and what the drivers' errors say becomes the package's own.

mod rows;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::rows::{Rows, hash, pem};
use crate::ca::disk::{self, Staged};
use crate::ca::index::Edit;
use crate::ca::journal::Change;
use crate::ca::lock::Lock;
use crate::ca::row::{Row, RowRef};
use crate::ca::serial::Serial;
use crate::ca::store::{Found, Kept, Numbers, Purpose, Store, Vault};
use crate::error::{Error, Reason, Result};
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};

/// How many records are added at once: the number that the script has a statement for.
const ADDED: usize = 50;

/// How often work is begun anew that others at the same time have spoilt.
const REPEATS: u32 = 20;

/// An authority's database behind a connection. A transaction begins with the first question.
pub(super) struct Database {
    /// The ensemble of the script, with the connection.
    script: Script,
    /// What takes rows apart.
    rows: Rows,
    /// What it is opened for.
    purpose: Purpose,
    /// How long to wait for others.
    patience: Duration,
    /// The turn among those who wait for each other, held as long as a transaction.
    turn: Option<Lock>,
    /// What was read when the transaction began; none outside of one.
    begun: Option<Numbers>,
    /// Records that are to be added in this transaction, and aren't yet.
    added: Vec<Kept>,
    /// Files that the caller wants beside the database: in their places after it has the records.
    files: Vec<(Staged, PathBuf)>,
    /// What is to be written beside the records in the end.
    state: Vec<Obj>,
    /// How often work was begun anew.
    repeats: u32,
}

/// The connection that a word names, if it does. `look` is the caller's namespace.
pub(super) fn connection(interp: Interp<'_>, word: &str) -> Option<String> {
    let name = interp.command_name(word)?;
    let question = ["::info", "object", "isa", "typeof"].map(Obj::text);
    let script = Script::new(interp, &Obj::list(question))?;
    let answer = script.call(&[Obj::text(&name), Obj::text("::tdbc::connection")])?;
    answer.ok()?.as_bool().filter(|is| *is).map(|_| name)
}

impl Database {
    /// The database behind the connection of this name.
    pub(super) fn new(
        interp: Interp<'_>,
        name: &str,
        purpose: Purpose,
        patience: Duration,
    ) -> Result<Self> {
        let prefix = Obj::list(["::tls::CaDatabase", name].map(Obj::text));
        Ok(Self {
            script: Script::new(interp, &prefix).ok_or_else(gone)?,
            rows: Rows {
                name: name.to_owned(),
            },
            purpose,
            patience,
            turn: None,
            begun: None,
            added: Vec::new(),
            files: Vec::new(),
            state: Vec::new(),
            repeats: 0,
        })
    }

    /// Calls a command of the script.
    fn ask(&self, words: &[Obj]) -> Result<Obj> {
        let answer = self.script.call(words).unwrap_or_else(|| Err(gone()));
        answer.map_err(|error| self.translated(&error))
    }

    /// The package's own error for what a script or a driver has raised.
    fn translated(&self, error: &Error) -> Error {
        let code = error.code();
        let message = error.message();
        let own = |reason, details: &[String]| Error::Failed {
            reason,
            details: details.to_vec(),
            message: message.clone(),
        };
        let words: Vec<&str> = code.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["TLS", "CA", "OPTION", ..] => own(Reason::CaOption, &code[3..]),
            ["TLS", "CA", "DATABASE", ..] => own(Reason::CaDatabase, &code[3..]),
            _ => {
                let details = match words.first() {
                    Some(&"TDBC") => code,
                    // SQLite's interface to Tcl has no words.
                    _ if message.contains("is locked") => vec!["locked".to_owned()],
                    _ => Vec::new(),
                };
                Error::Failed {
                    reason: Reason::CaDatabase,
                    details,
                    message: format!("the database \"{}\": {message}", self.rows.name),
                }
            }
        }
    }

    /// Calls a command of the script; the answer is a list of rows.
    fn table(&self, words: &[Obj]) -> Result<Vec<Vec<Obj>>> {
        let answer = self.ask(words)?;
        let rows = answer.as_list().unwrap_or_default();
        Ok(rows
            .iter()
            .map(|row| row.as_list().unwrap_or_default())
            .collect())
    }

    /// Begins a transaction, if there is none; gives what was read then.
    fn begun(&mut self) -> Result<&Numbers> {
        if self.begun.is_none() {
            let purpose = match self.purpose {
                Purpose::Look => "look",
                Purpose::Add => "add",
                Purpose::Change => "change",
            };
            let patience = self.take_turn()?;
            let words = [Obj::text("begin"), Obj::text(purpose), patience];
            let answer = self.ask(&words)?.as_list().unwrap_or_default();
            // From here on there is a transaction to be ended, whatever it says.
            self.begun = Some(Numbers::default());
            let numbers = self.rows.numbers(&answer)?;
            self.begun = Some(numbers);
        }
        self.begun.as_ref().ok_or_else(gone)
    }

    /// Waits until it is this command's turn to change a database that is a file; gives the rest of its patience, in
    /// milliseconds.
    ///
    /// SQLite lets those who wait sleep and ask again, so that nobody works while all of them sleep.
    fn take_turn(&mut self) -> Result<Obj> {
        let begin = Instant::now();
        if self.purpose != Purpose::Look && self.turn.is_none() {
            let place = self.ask(&[Obj::text("place")])?;
            let place = place.as_text();
            if !place.is_empty() {
                self.turn = Lock::turn(Path::new(&*place), self.patience);
            }
        }
        Ok(milliseconds(self.patience.saturating_sub(begin.elapsed())))
    }

    /// Calls `visit` with the rows that the script gives in pages, each page behind the place of the last row of the one
    /// before.
    fn visit_pages(
        &mut self,
        question: &str,
        visit: &mut dyn FnMut(&Self, &[Obj]) -> Result<()>,
    ) -> Result<()> {
        self.begun()?;
        let mut after = Obj::int(0);
        loop {
            let rows = self.table(&[Obj::text(question), after])?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.first().cloned().unwrap_or_else(Obj::empty);
            rows.iter().try_for_each(|row| visit(self, row))?;
        }
    }

    /// Carries one change out. Records are added some at a time, and what is written beside them comes last.
    fn change(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Record(Edit::Add(row)) => {
                self.add_waiting(ADDED)?;
                self.added.push(Kept {
                    row,
                    certificate: None,
                });
            }
            // It belongs to the record before it.
            Change::Certificate {
                serial,
                path,
                bytes,
            } => {
                if let Some(path) = path {
                    let file = disk::stage_without_waiting(&path, &bytes)?;
                    self.files.push((file, path));
                }
                let kept = self.added.last_mut();
                if let Some(kept) = kept.filter(|kept| kept.row.serial == serial) {
                    kept.certificate = Some(pem(&bytes));
                }
            }
            Change::Serial(serial) => {
                self.state
                    .extend(["serial", &serial.to_string()].map(Obj::text));
            }
            Change::CrlNumber(number) => {
                self.state
                    .extend(["crl_number", &number.to_string()].map(Obj::text));
            }
            Change::Listed(at) => self.state.extend([Obj::text("last_list"), Obj::int(at)]),
            Change::Record(Edit::Update { after, .. }) => {
                self.add_waiting(1)?;
                let serial = after.serial.to_string();
                let status = after.status.letter().to_string();
                let words = ["change", &serial, &status, &after.revocation];
                self.ask(&words.map(Obj::text))?;
            }
            Change::Record(Edit::Expire(now)) => {
                self.add_waiting(1)?;
                self.ask(&[Obj::text("expire"), Obj::int(now)])?;
            }
        }
        Ok(())
    }

    /// Adds the records that wait for it, if there are at least so many.
    fn add_waiting(&mut self, least: usize) -> Result<()> {
        match self.added.len() >= least {
            true => {
                let records = std::mem::take(&mut self.added);
                self.add(records)
            }
            false => Ok(()),
        }
    }

    /// Adds records.
    fn add(&self, records: Vec<Kept>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records.iter().map(|kept| self.rows.columns(kept));
        let rows = rows.collect::<Result<Vec<Obj>>>()?;
        self.ask(&[Obj::text("add"), Obj::list(rows)]).map(|_| ())
    }

    /// Does what must be done in the transaction, as far as it doesn't come last.
    fn carry_out(&mut self, changes: Vec<Change>) -> Result<()> {
        self.begun()?;
        changes
            .into_iter()
            .try_for_each(|change| self.change(change))
    }

    /// Does the rest of what must be done in the transaction, and ends it.
    fn complete(&mut self, changes: Vec<Change>) -> Result<()> {
        self.carry_out(changes)?;
        self.add_waiting(1)?;
        let state = std::mem::take(&mut self.state);
        // Those who only add don't wait for each other, and change nothing else.
        if !state.is_empty() || self.purpose == Purpose::Change {
            self.ask(&[Obj::text("state"), Obj::list(state)])?;
        }
        self.end()
    }

    /// Ends the transaction so that it holds. If that fails, the script has ended it.
    fn end(&mut self) -> Result<()> {
        self.begun = None;
        let ended = self.ask(&[Obj::text("commit")]);
        self.turn = None;
        ended.map(|_| ())
    }

    /// Forgets the transaction.
    fn forget(&mut self) {
        self.added.clear();
        self.files.clear();
        self.state.clear();
        if self.begun.take().is_some() {
            // There may be none any more: databases end those that they can't go on with.
            self.ask(&[Obj::text("rollback")]).ok();
        }
        self.turn = None;
    }
}

impl Store for Database {
    fn len(&self) -> Option<u64> {
        None
    }

    fn record(&mut self, serial: &Serial) -> Result<Option<Row>> {
        self.begun()?;
        let rows = self.table(&[Obj::text("record"), Obj::text(&serial.to_string())])?;
        let row = rows.first().map(|row| self.rows.record(row)).transpose()?;
        Ok(row.map(|(_, row)| row))
    }

    fn valid_subject(&mut self, name: &[u8]) -> Result<Option<Row>> {
        self.begun()?;
        let hashes = Obj::list([Obj::text(&hash(name))]);
        for row in self.table(&[Obj::text("valid"), hashes])? {
            let (_, row) = self.rows.record(&row)?;
            if row.name == name {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn taken(&mut self, serials: &[Serial]) -> Result<Option<Serial>> {
        self.begun()?;
        let sought = Obj::list(serials.iter().map(|serial| Obj::text(&serial.to_string())));
        let found = self.ask(&[Obj::text("taken"), sought])?;
        let found = found.as_list().unwrap_or_default();
        let found: HashSet<String> = found
            .iter()
            .map(|serial| serial.as_text().into_owned())
            .collect();
        let first = serials
            .iter()
            .find(|serial| found.contains(&serial.to_string()));
        Ok(first.cloned())
    }

    fn taken_subjects(&mut self, names: &[&[u8]]) -> Result<Vec<usize>> {
        self.begun()?;
        let hashes = Obj::list(names.iter().map(|name| Obj::text(&hash(name))));
        let mut found = HashSet::new();
        for row in self.table(&[Obj::text("valid"), hashes])? {
            found.insert(self.rows.record(&row)?.1.name);
        }
        let taken = names.iter().enumerate();
        Ok(taken
            .filter(|(_, name)| found.contains(**name))
            .map(|(at, _)| at)
            .collect())
    }

    fn each(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        self.visit_pages("all", &mut |database, row| {
            let (_, row) = database.rows.record(row)?;
            visit(&row.view())
        })
    }

    fn each_revoked(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        self.begun()?;
        let mut last = (i64::MIN, 0);
        loop {
            let (end, place) = last;
            let text = self.ask(&[Obj::text("revoked"), Obj::int(end), Obj::int(place)])?;
            let text = text.as_text();
            if text.is_empty() {
                return Ok(());
            }
            for line in text.lines() {
                last = last.max(self.rows.revoked(line, visit)?);
            }
        }
    }

    fn each_ended(
        &mut self,
        now: i64,
        visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>,
    ) -> Result<()> {
        self.begun()?;
        let (mut end, mut after) = (Obj::int(i64::MIN), Obj::int(0));
        loop {
            let rows = self.table(&[Obj::text("ended"), Obj::int(now), end, after])?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            end = last.last().cloned().unwrap_or_else(Obj::empty);
            after = last.first().cloned().unwrap_or_else(Obj::empty);
            for row in &rows {
                let (_, row) = self.rows.record(row)?;
                visit(&row.view())?;
            }
        }
    }

    fn unique_subject(&mut self) -> Result<bool> {
        Ok(self.begun()?.unique_subject)
    }

    fn serial(&mut self) -> Result<Serial> {
        let serial = self.begun()?.serial.clone();
        serial.ok_or_else(|| {
            self.rows
                .damaged("it has no serial number for the next certificate")
        })
    }

    fn crl_number(&mut self) -> Result<Option<Serial>> {
        Ok(self.begun()?.crl_number.clone())
    }

    fn last_list(&mut self) -> Result<Option<i64>> {
        Ok(self.begun()?.last_list)
    }

    fn prepare(&mut self, changes: Vec<Change>) -> Result<()> {
        let prepared = self.carry_out(changes);
        if prepared.is_err() {
            self.forget();
        }
        prepared
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<()> {
        if let Err(error) = self.complete(changes) {
            self.forget();
            return Err(error);
        }
        let (mut files, mut folders) = (Vec::new(), HashSet::new());
        for (file, path) in std::mem::take(&mut self.files) {
            file.finish(false)?;
            folders.insert(disk::folder_of(&path));
            files.push(path);
        }
        disk::sync_files(&files)?;
        folders
            .iter()
            .try_for_each(|folder| disk::sync_folder(folder))
    }

    fn may_repeat(&mut self, error: &Error) -> bool {
        self.forget();
        self.repeats += 1;
        // SQLSTATE 40 is for transactions that were rolled back for the sake of others.
        let spoilt = match error.code().as_slice() {
            [_, _, _, tdbc, _, state, ..] => tdbc == "TDBC" && state.starts_with("40"),
            _ => false,
        };
        spoilt && self.repeats <= REPEATS
    }

    fn repairs(&self) -> &[String] {
        &[]
    }
}

impl Vault for Database {
    fn found(&mut self, unique_subject: bool) -> Result<()> {
        let words = [
            Obj::text("create"),
            Obj::bool(unique_subject),
            milliseconds(self.patience),
        ];
        self.ask(&words)?;
        self.begun = Some(Numbers::default());
        Ok(())
    }

    fn fill(&mut self, records: Vec<Kept>) -> Result<()> {
        self.add(records)
    }

    fn seal(&mut self, numbers: &Numbers) -> Result<()> {
        let parts = [
            numbers.serial.clone().map(Change::Serial),
            numbers.crl_number.clone().map(Change::CrlNumber),
            numbers.last_list.map(Change::Listed),
        ];
        self.commit(parts.into_iter().flatten().collect())
    }

    fn numbers(&mut self) -> Result<Numbers> {
        self.begun().cloned()
    }

    fn each_kept(&mut self, visit: &mut dyn FnMut(Kept) -> Result<()>) -> Result<()> {
        self.visit_pages("certificates", &mut |database, row| {
            let found = database.rows.found(row)?;
            let place = found.place.to_string();
            let row = found.row;
            visit(Kept {
                row: row.map_err(|why| database.rows.in_record(&place, &why))?,
                certificate: found.certificate,
            })
        })
    }

    fn each_found(&mut self, visit: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        self.visit_pages("certificates", &mut |database, row| {
            visit(database.rows.found(row)?)
        })
    }

    fn mend(&mut self, records: Vec<(i64, Kept)>) -> Result<()> {
        // One may get the serial number of another one that is to be mended.
        let places = records.iter().map(|(place, _)| Obj::int(*place));
        self.ask(&[Obj::text("unname"), Obj::list(places)])?;
        for (place, kept) in records {
            self.ask(&[
                Obj::text("mend"),
                Obj::int(place),
                self.rows.columns(&kept)?,
            ])?;
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.forget();
    }
}

/// A time for the script.
fn milliseconds(time: Duration) -> Obj {
    Obj::int(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// The error when the interpreter has gone in the meantime.
fn gone() -> Error {
    Error::failed(Reason::CaDatabase, "the interpreter is gone")
}
