//! What an authority needs of its certificate database, whatever that is made of.

use std::path::PathBuf;

use crate::error::Result;

use super::journal::Change;
use super::row::{Row, RowRef};
use super::serial::Serial;

/// A certificate database, opened for one command: nobody else changes it while this lives.
pub(crate) trait Store {
    /// How many records there are.
    fn len(&self) -> u64;

    /// The record of a serial number.
    fn record(&mut self, serial: &Serial) -> Result<Option<Row>>;

    /// A valid record with this subject.
    fn valid_subject(&mut self, name: &[u8]) -> Result<Option<Row>>;

    /// Calls `visit` with every record.
    fn each(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()>;

    /// Whether valid certificates must differ in their subjects.
    fn unique_subject(&mut self) -> Result<bool>;

    /// The serial number of the next certificate; an error if there is none to be read.
    fn serial(&mut self) -> Result<Serial>;

    /// The number of the next revocation list; `None` if the authority doesn't number them.
    fn crl_number(&mut self) -> Result<Option<Serial>>;

    /// When the last revocation list was made, as far as this database was told.
    fn last_list(&mut self) -> Result<Option<i64>>;

    /// Makes changes, all or none; when this returns they outlast a power cut.
    fn commit(&mut self, changes: Vec<Change>) -> Result<()>;

    /// What an earlier command had left half done and opening the database has put right, in sentences.
    fn repairs(&self) -> &[String];
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
