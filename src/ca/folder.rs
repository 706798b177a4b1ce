//! A certificate database in files, the same that `openssl ca` uses: index, attributes, serial and CRL number.
//!
//! Several processes and threads may use it at once: opening waits for the folder's [`Lock`]. A change is written to
//! the [`journal`] first; opening carries out what a command that died had decided, and forgets what it hadn't.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Reason, Result};

use super::disk::{self, Staged};
use super::index::{Edit, Index, Patches, Prepared};
use super::journal::{self, Change};
use super::lock::Lock;
use super::row::{Row, RowRef};
use super::serial::Serial;
use super::store::{Files, Store};
use super::watch::Watch;

/// More certificates than this are brought to the disk when they have their names, all together; up to so many before,
/// since a disk that is full may tell so then only.
const MANY: usize = if cfg!(test) { 2 } else { 8 };

/// The database, open and locked.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Where its files are.
    files: Files,
    /// The records.
    index: Index,
    /// Whether valid certificates must differ in their subjects.
    unique: bool,
    /// Whether the attribute file has to be written: it doesn't say so, or it has no older copy beside it yet, which
    /// the second change makes in the program as well.
    attributes_stale: bool,
    /// What was put right.
    repairs: Vec<String>,
    /// What is to be committed, as far as that is known.
    prepared: Waiting,
    /// The lock, last to go.
    _lock: Lock,
}

/// Changes that are prepared: the files that they need are written beside their places.
#[derive(Debug, Default)]
struct Waiting {
    /// The changes.
    changes: Vec<Change>,
    /// The files, and whether what each replaces is kept.
    files: Vec<(Staged, PathBuf, bool)>,
}

impl Folder {
    /// Opens the database; waits for other commands, not longer than `patience`.
    pub(crate) fn open(files: Files, patience: Duration, watch: &mut dyn Watch) -> Result<Self> {
        let files = Files {
            database: disk::resolve(&files.database),
            serial: files.serial.as_deref().map(disk::resolve),
            crl_number: files.crl_number.as_deref().map(disk::resolve),
            ..files
        };
        // A missing index is told as such, and not by a lock that remains behind.
        if disk::stamp(&files.database)?.is_none() {
            let path = files.database.display().to_string();
            let message = format!("there is no certificate database \"{path}\"");
            return Err(Error::failed_with(Reason::CaDatabase, [&path], message));
        }
        let lock = Lock::wait(&files.database, patience, watch)?;
        let journal = journal_path(&files.database);
        let decided = journal::read(&journal)?;
        if let Some((_, patches)) = &decided {
            patches.roll_back(&files.database)?;
        }
        let index = Index::open(&files.database)?;
        let attributes = read_attributes(&files.database)?;
        let before = disk::stamp(&disk::beside(&attributes_path(&files.database), ".old"))?;
        let mut folder = Self {
            unique: attributes.unwrap_or(files.unique_subject),
            attributes_stale: attributes.is_none() || before.is_none(),
            files,
            index,
            repairs: Vec::new(),
            prepared: Waiting::default(),
            _lock: lock,
        };
        match decided {
            Some((changes, _)) => folder.carry_out_late(changes)?,
            None if journal::is_torn(&journal)? => {
                journal::clear(&journal)?;
                folder.repair("dropped a change that had not been decided");
            }
            None => {}
        }
        if folder.index.empty_lines() > 0 {
            let count = folder.index.empty_lines();
            folder.repair(&format!("left out {count} empty lines of the index"));
        }
        Ok(folder)
    }

    /// Notes what was put right.
    fn repair(&mut self, what: &str) {
        self.repairs.push(what.to_owned());
    }

    /// Carries out what an earlier command had decided.
    ///
    /// `openssl ca` may have used the folder in between: what it did stands, and a certificate of ours whose serial
    /// number it has given away was never handed out, so it is forgotten.
    fn carry_out_late(&mut self, changes: Vec<Change>) -> Result<()> {
        let mut left = Vec::new();
        let mut taken = Vec::new();
        for change in changes {
            let (needed, note) = match &change {
                Change::Record(Edit::Add(row)) => match self.index.record(&row.serial)? {
                    None => (true, format!("recorded certificate {}", row.serial)),
                    Some(present) => {
                        if present.name != row.name || present.expiry != row.expiry {
                            taken.push(row.serial.clone());
                            self.repair(&format!(
                                "forgot certificate {}: its serial number was used meanwhile",
                                row.serial
                            ));
                        }
                        (false, String::new())
                    }
                },
                Change::Record(Edit::Update { before, after }) => {
                    let present = self.index.record(&after.serial)?;
                    let note = format!("recorded the new status of certificate {}", after.serial);
                    (present.as_ref() == Some(before), note)
                }
                // Marking what has ended is never wrong, and costs a reading to find out whether it was done.
                Change::Record(Edit::Expire(_)) => {
                    (true, "marked the expired certificates".to_owned())
                }
                Change::Serial(serial) => {
                    let behind = matches!(self.serial(), Ok(present) if present < *serial);
                    let gone = self.files.serial.is_some() && self.serial().is_err();
                    (
                        behind || gone,
                        "brought the serial number up to date".to_owned(),
                    )
                }
                Change::CrlNumber(number) => {
                    let present = self.crl_number()?;
                    let behind = present.is_some_and(|present| present < *number);
                    (behind, "brought the CRL number up to date".to_owned())
                }
                Change::Listed(at) => {
                    let behind = self.last_list()?.is_none_or(|last| last < *at);
                    (behind, "noted the last revocation list".to_owned())
                }
                Change::Certificate { path: None, .. } => (false, String::new()),
                Change::Certificate {
                    serial,
                    path: Some(path),
                    bytes,
                } => {
                    let needed =
                        !taken.contains(serial) && disk::read(path)?.as_ref() != Some(bytes);
                    (needed, format!("wrote the file of certificate {serial}"))
                }
            };
            if needed {
                self.repair(&note);
                left.push(change);
            }
        }
        if left.is_empty() {
            return journal::clear(&journal_path(&self.files.database));
        }
        self.commit(left)
    }

    /// Writes the new contents of files beside them. Those of certificates aren't waited for.
    fn stage(&mut self, changes: &[Change]) -> Result<()> {
        for change in changes {
            let (path, bytes, keep_old) = match change {
                Change::Record(_) | Change::Certificate { path: None, .. } => continue,
                Change::Serial(serial) => match &self.files.serial {
                    Some(path) => (path.clone(), serial.to_file(), true),
                    None => continue,
                },
                Change::CrlNumber(number) => match &self.files.crl_number {
                    Some(path) => (path.clone(), number.to_file(), true),
                    None => continue,
                },
                Change::Listed(at) => (
                    last_list_path(&self.files.database),
                    format!("{at}\n").into_bytes(),
                    false,
                ),
                Change::Certificate {
                    path: Some(path),
                    bytes,
                    ..
                } => {
                    let file = disk::stage_without_waiting(path, bytes)?;
                    self.prepared.files.push((file, path.clone(), false));
                    continue;
                }
            };
            let file = disk::stage(&path, &bytes)?;
            self.prepared.files.push((file, path, keep_old));
        }
        Ok(())
    }

    /// Writes the attributes beside their file, if they aren't there yet.
    fn stage_attributes(&mut self) -> Result<()> {
        if self.attributes_stale {
            let path = attributes_path(&self.files.database);
            let word = if self.unique { "yes" } else { "no" };
            let file = disk::stage(&path, format!("unique_subject = {word}\n").as_bytes())?;
            self.prepared.files.push((file, path, true));
        }
        Ok(())
    }
}

impl Store for Folder {
    fn len(&self) -> Option<u64> {
        Some(self.index.len())
    }

    fn record(&mut self, serial: &Serial) -> Result<Option<Row>> {
        self.index.record(serial)
    }

    fn valid_subject(&mut self, name: &[u8]) -> Result<Option<Row>> {
        self.index.valid_subject(name)
    }

    fn each(&mut self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        self.index.each(visit)
    }

    fn unique_subject(&mut self) -> Result<bool> {
        if self.unique && self.index.has_twins()? {
            let path = self.files.database.display().to_string();
            return Err(Error::failed_with(
                Reason::CaDatabase,
                [&path, "unique_subject"],
                format!(
                    "\"{path}\" has valid records with the same subject, though unique_subject is yes"
                ),
            ));
        }
        Ok(self.unique)
    }

    fn serial(&mut self) -> Result<Serial> {
        match &self.files.serial {
            Some(path) => {
                read_number(path)?.ok_or_else(|| no_number(path, "there is no such file"))
            }
            None => Err(Error::failed(
                Reason::CaDatabase,
                "the configuration names no serial file",
            )),
        }
    }

    fn crl_number(&mut self) -> Result<Option<Serial>> {
        match &self.files.crl_number {
            Some(path) => read_number(path)?
                .ok_or_else(|| no_number(path, "there is no such file"))
                .map(Some),
            None => Ok(None),
        }
    }

    fn last_list(&mut self) -> Result<Option<i64>> {
        let bytes = disk::read(&last_list_path(&self.files.database))?;
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // What can't be read is as good as unknown: entries then stay for one more list.
        Ok(text.and_then(|text| text.trim().parse().ok()))
    }

    fn prepare(&mut self, changes: Vec<Change>) -> Result<()> {
        self.stage(&changes)?;
        self.prepared.changes.extend(changes);
        Ok(())
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<()> {
        self.prepare(changes)?;
        let edits: Vec<Edit> = self
            .prepared
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Record(edit) => Some(edit.clone()),
                _ => None,
            })
            .collect();
        if !edits.is_empty() {
            self.stage_attributes()?;
        }
        let Waiting { changes, files } = std::mem::take(&mut self.prepared);
        let certificates: Vec<PathBuf> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Certificate { path, .. } => path.clone(),
                _ => None,
            })
            .collect();
        let many = certificates.len() > MANY;
        if !many {
            let mut staged = files
                .iter()
                .filter(|(_, path, _)| certificates.contains(path));
            staged.try_for_each(|(file, ..)| file.sync())?;
        }
        let prepared = match edits.is_empty() {
            true => None,
            false => Some(self.index.prepare(&edits)?),
        };
        let journal = journal_path(&self.files.database);
        let patches = match &prepared {
            Some(Prepared::Large(patches)) => patches.clone(),
            _ => Patches::default(),
        };
        if let Err(error) = journal::write(&journal, &changes, &patches) {
            // What may stand in the journal is whole or not; either way the caller is told that nothing was done.
            journal::clear(&journal).ok();
            return Err(error);
        }
        let finished = match prepared
            .map(|prepared| self.index.finish(prepared))
            .transpose()
        {
            Ok(finished) => finished,
            Err(error) => {
                journal::clear(&journal).ok();
                return Err(error);
            }
        };
        let mut folders: Vec<PathBuf> = Vec::new();
        for (file, path, keep_old) in files {
            file.finish(keep_old)?;
            let folder = disk::folder_of(&path);
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        // Until here the journal has what these files hold. Their names come to the disk with them, as a rule, so that
        // the folders are next to free.
        if many {
            disk::sync_files(&certificates)?;
        }
        folders
            .iter()
            .try_for_each(|folder| disk::sync_folder(folder))?;
        if let Some(finished) = finished {
            self.index.settle(finished)?;
            self.attributes_stale = false;
        }
        journal::clear(&journal)
    }

    fn repairs(&self) -> &[String] {
        &self.repairs
    }
}

/// Where the journal of a database is.
pub(crate) fn journal_path(database: &Path) -> PathBuf {
    disk::beside(database, ".journal")
}

/// Where the attributes of a database are.
pub(crate) fn attributes_path(database: &Path) -> PathBuf {
    disk::beside(database, ".attr")
}

/// Where it is noted when the last revocation list was made.
pub(crate) fn last_list_path(database: &Path) -> PathBuf {
    disk::beside(database, ".lastcrl")
}

/// What the attribute file says of `unique_subject`; `None` if it says nothing.
pub(crate) fn read_attributes(database: &Path) -> Result<Option<bool>> {
    let bytes = disk::read(&attributes_path(database))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut values = lines.filter(|(name, _)| name.trim() == "unique_subject");
    Ok(values
        .next_back()
        .and_then(|(_, value)| yes_or_no(value.trim())))
}

/// The truth of a word as OpenSSL's configuration takes it, by its first letter.
pub(crate) fn yes_or_no(word: &str) -> Option<bool> {
    match word.bytes().next()? {
        b'y' | b'Y' | b't' | b'T' | b'1' => Some(true),
        b'n' | b'N' | b'f' | b'F' | b'0' => Some(false),
        _ => None,
    }
}

/// The number in a serial file; `None` if there is no such file.
fn read_number(path: &Path) -> Result<Option<Serial>> {
    match disk::read(path)? {
        None => Ok(None),
        Some(bytes) => Serial::parse_file(&bytes)
            .map(Some)
            .ok_or_else(|| no_number(path, "it must hold an even number of hexadecimal digits")),
    }
}

/// The error for a file that should hold a number.
fn no_number(path: &Path, why: &str) -> Error {
    let path = path.display().to_string();
    Error::failed_with(
        Reason::CaDatabase,
        [&path],
        format!("can't read a number from \"{path}\": {why}"),
    )
}

#[cfg(test)]
mod tests;
