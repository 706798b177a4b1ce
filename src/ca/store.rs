//! What an authority needs of its certificate database, whatever that is made of.

use std::path::PathBuf;

use crate::error::{Error, Result};

use super::journal::Change;
use super::row::{Row, RowRef, Status};
use super::serial::Serial;

/// What a command is going to do with a database: that decides for whom others must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look only.
    Look,
    /// To add records under serial numbers that nobody else can have chosen.
    Add,
    /// To change anything.
    Change,
}

/// A certificate database, opened for one command: what that command decides by, nobody else changes while this lives.
pub(crate) trait Store {
    /// How many records there are; `None` if counting them would take time.
    fn len(&self) -> Option<u64>;

    /// The record of a serial number.
    fn record(&mut self, serial: &Serial) -> Result<Option<Row>>;

    /// A valid record with this subject.
    fn valid_subject(&mut self, name: &[u8]) -> Result<Option<Row>>;

    /// The first of these serial numbers that has a record.
    fn taken(&mut self, serials: &[Serial]) -> Result<Option<Serial>> {
        for serial in serials {
            if self.record(serial)?.is_some() {
                return Ok(Some(serial.clone()));
            }
        }
        Ok(None)
    }

    /// The places of those among these subjects that valid records have, in their order.
    fn taken_subjects(&mut self, names: &[&[u8]]) -> Result<Vec<usize>> {
        let mut taken = Vec::new();
        for (at, name) in names.iter().enumerate() {
            if self.valid_subject(name)?.is_some() {
                taken.push(at);
            }
        }
        Ok(taken)
    }

    /// Calls `visit` with every record, in the order in which they were added.
    fn each(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()>;

    /// Calls `visit` with every record of a revoked certificate, in any order. File and subject may be missing.
    fn each_revoked(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        self.each(&mut |row| match row.status {
            Status::Revoked => visit(row),
            _ => Ok(()),
        })
    }

    /// Calls `visit` with every record that is marked as valid though its certificate had ended at `now`, in any
    /// order.
    fn each_ended(
        &mut self,
        now: i64,
        visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>,
    ) -> Result<()> {
        self.each(
            &mut |row| match row.status == Status::Valid && row.expires() <= now {
                true => visit(row),
                false => Ok(()),
            },
        )
    }

    /// Whether valid certificates must differ in their subjects.
    fn unique_subject(&mut self) -> Result<bool>;

    /// The serial number of the next certificate; an error if there is none to be read.
    fn serial(&mut self) -> Result<Serial>;

    /// The number of the next revocation list; `None` if the authority doesn't number them.
    fn crl_number(&mut self) -> Result<Option<Serial>>;

    /// When the last revocation list was made, as far as this database was told.
    fn last_list(&mut self) -> Result<Option<i64>>;

    /// Takes changes that [`Store::commit`] is to make before others, so that what takes long about them is done while
    /// those are found out. Nobody sees anything of them until then; nothing of them is left if that never comes.
    fn prepare(&mut self, changes: Vec<Change>) -> Result<()>;

    /// Makes changes, all or none; when this returns they outlast a power cut.
    fn commit(&mut self, changes: Vec<Change>) -> Result<()>;

    /// Whether an error came of others that use the database at the same time, so that the same work, begun anew, may
    /// succeed. Forgets what was begun.
    fn may_repeat(&mut self, _error: &Error) -> bool {
        false
    }

    /// What an earlier command had left half done and opening the database has put right, in sentences.
    fn repairs(&self) -> &[String];
}

/// A record with its certificate.
pub(crate) struct Kept {
    /// The record.
    pub(crate) row: Row,
    /// The certificate in PEM, where there is one.
    pub(crate) certificate: Option<String>,
}

/// A record as a database holds it, whatever has become of it.
pub(crate) struct Found {
    /// Where it is.
    pub(crate) place: i64,
    /// Its serial number, as it is written there.
    pub(crate) serial: String,
    /// The record, or what is wrong with it.
    pub(crate) row: std::result::Result<Row, String>,
    /// Whether what records are found by is what the record says.
    pub(crate) indexed: bool,
    /// The certificate in PEM, where there is one.
    pub(crate) certificate: Option<String>,
}

/// What is written beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The serial number of the next certificate.
    pub(crate) serial: Option<Serial>,
    /// The number of the next revocation list.
    pub(crate) crl_number: Option<Serial>,
    /// When the last revocation list was made.
    pub(crate) last_list: Option<i64>,
    /// Whether valid certificates must differ in their subjects.
    pub(crate) unique_subject: bool,
}

/// A database that holds the certificates as well, and can be filled and read out as a whole.
pub(crate) trait Vault: Store {
    /// Makes it, empty; it is there when it has been filled and [`Vault::seal`] was called.
    fn found(&mut self, unique_subject: bool) -> Result<()>;

    /// Adds records to one that is being made.
    fn fill(&mut self, records: Vec<Kept>) -> Result<()>;

    /// Ends the making.
    fn seal(&mut self, numbers: &Numbers) -> Result<()>;

    /// What is written beside the records.
    fn numbers(&mut self) -> Result<Numbers>;

    /// Calls `visit` with every record and its certificate, in the order in which they were added.
    fn each_kept(&mut self, visit: &mut dyn FnMut(Kept) -> Result<()>) -> Result<()>;

    /// The same with records that make no sense among them.
    fn each_found(&mut self, visit: &mut dyn FnMut(Found) -> Result<()>) -> Result<()>;

    /// Puts records in the places of others.
    fn mend(&mut self, records: Vec<(i64, Kept)>) -> Result<()>;
}

/// Where the parts of a database in files are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// `index.txt`.
    pub(crate) database: PathBuf,
    /// The file of the next serial number.
    pub(crate) serial: Option<PathBuf>,
    /// The file of the next CRL number.
    pub(crate) crl_number: Option<PathBuf>,
    /// What the attribute file is to say when there is none.
    pub(crate) unique_subject: bool,
}
