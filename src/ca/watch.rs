//! Who watches long work: he is told how far it is, and may end it until it is decided.
//!
//! Pure. Watching a database is watching what is asked of it, so that whoever works on one knows nothing of it.

use crate::error::{Error, Result};

use super::journal::Change;
use super::row::{Row, RowRef, Status};
use super::serial::Serial;
use super::store::Store;

/// After how many records he is told again.
const RECORDS: u64 = 10_000;

/// After how many certificates or requests he is told again.
const CERTIFICATES: u64 = 100;

/// Somebody who watches.
pub(crate) trait Watch {
    /// So much is done, of so much if that is known. An error ends the work.
    fn tell(&mut self, done: u64, total: Option<u64>) -> Result<()>;

    /// Whether the work is to go on while it only waits. An error ends it.
    fn waits(&mut self) -> Result<()> {
        Ok(())
    }

    /// Changes are going to be made now. An error ends the work; from then on nothing does.
    fn decide(&mut self) -> Result<()>;
}

/// Nobody who watches.
pub(crate) struct Nobody;

impl Watch for Nobody {
    fn tell(&mut self, _: u64, _: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn decide(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Counts what is done, and tells of it now and then, and in the end.
pub(super) struct Steps<'a> {
    /// Who is told.
    watch: &'a mut dyn Watch,
    /// How much is done.
    done: u64,
    /// Of how much, if that is known.
    total: Option<u64>,
    /// After how much he is told.
    step: u64,
}

impl<'a> Steps<'a> {
    /// For certificates or requests.
    pub(super) fn certificates(watch: &'a mut dyn Watch, total: usize) -> Self {
        Self {
            watch,
            done: 0,
            total: Some(total as u64),
            step: CERTIFICATES,
        }
    }

    /// For records.
    pub(super) fn records(watch: &'a mut dyn Watch, total: Option<u64>) -> Self {
        Self {
            watch,
            done: 0,
            total,
            step: RECORDS,
        }
    }

    /// One more is done.
    pub(super) fn one(&mut self) -> Result<()> {
        self.done += 1;
        match self.done.is_multiple_of(self.step) || self.total == Some(self.done) {
            true => self.watch.tell(self.done, self.total),
            false => Ok(()),
        }
    }
}

/// A database whose user is watched.
pub(crate) struct Watched<'a> {
    /// The database.
    store: &'a mut dyn Store,
    /// Who watches.
    watch: &'a mut dyn Watch,
}

impl<'a> Watched<'a> {
    /// Lets somebody watch.
    pub(crate) fn new(store: &'a mut dyn Store, watch: &'a mut dyn Watch) -> Self {
        Self { store, watch }
    }

    /// The database, and who watches.
    pub(super) fn parts(&mut self) -> (&mut dyn Store, &mut dyn Watch) {
        (self.store, self.watch)
    }
}

impl Store for Watched<'_> {
    fn len(&self) -> Option<u64> {
        self.store.len()
    }

    fn record(&mut self, serial: &Serial) -> Result<Option<Row>> {
        self.store.record(serial)
    }

    fn valid_subject(&mut self, name: &[u8]) -> Result<Option<Row>> {
        self.store.valid_subject(name)
    }

    fn taken(&mut self, serials: &[Serial]) -> Result<Option<Serial>> {
        self.store.taken(serials)
    }

    fn taken_subjects(&mut self, names: &[&[u8]]) -> Result<Vec<usize>> {
        self.store.taken_subjects(names)
    }

    fn each(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        let mut steps = Steps::records(self.watch, self.store.len());
        self.store.each(&mut |row| {
            visit(row)?;
            steps.one()
        })
    }

    fn each_revoked(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        // Where records are counted they are gone over one by one, so that it can be told how far that is.
        if self.store.len().is_some() {
            return self.each(&mut |row| match row.status {
                Status::Revoked => visit(row),
                _ => Ok(()),
            });
        }
        let mut steps = Steps::records(self.watch, None);
        self.store.each_revoked(&mut |row| {
            visit(row)?;
            steps.one()
        })
    }

    fn each_ended(
        &mut self,
        now: i64,
        visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.store.len().is_some() {
            return self.each(
                &mut |row| match row.status == Status::Valid && row.expires() <= now {
                    true => visit(row),
                    false => Ok(()),
                },
            );
        }
        let mut steps = Steps::records(self.watch, None);
        self.store.each_ended(now, &mut |row| {
            visit(row)?;
            steps.one()
        })
    }

    fn unique_subject(&mut self) -> Result<bool> {
        self.store.unique_subject()
    }

    fn serial(&mut self) -> Result<Serial> {
        self.store.serial()
    }

    fn crl_number(&mut self) -> Result<Option<Serial>> {
        self.store.crl_number()
    }

    fn last_list(&mut self) -> Result<Option<i64>> {
        self.store.last_list()
    }

    fn prepare(&mut self, changes: Vec<Change>) -> Result<()> {
        self.store.prepare(changes)
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<()> {
        self.watch.decide()?;
        self.store.commit(changes)
    }

    fn may_repeat(&mut self, error: &Error) -> bool {
        self.store.may_repeat(error)
    }

    fn repairs(&self) -> &[String] {
        self.store.repairs()
    }
}
