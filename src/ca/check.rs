//! Looking a CA folder over: everything in it that doesn't fit together. Changes nothing.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssl::pkey::{PKeyRef, Public};
use openssl::x509::{X509, X509Crl};

use crate::error::Result;
use crate::ossl::error::failed;
use crate::value::Record;
use crate::x509::{der, frame, name, time};

use super::crl;
use super::disk::{self, File};
use super::folder::{attributes_path, journal_path, last_list_path, read_attributes};
use super::index::scan_lines;
use super::issue::validity_of;
use super::journal;
use super::lock::Lock;
use super::parallel;
use super::request;
use super::revoke::{Revocation, serial_of};
use super::row::{self, Line, Row, Status};
use super::serial::Serial;
use super::store::{Files, Numbers, Vault};
use super::watch::{Steps, Watch};

/// Something that doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What kind of thing, in a word.
    pub(crate) kind: &'static str,
    /// Where: a line of the index, a serial number, a file.
    pub(crate) place: String,
    /// The sentence.
    pub(crate) message: String,
}

impl Finding {
    /// The finding for `-info`.
    pub(crate) fn record(&self) -> Record {
        let mut record = Record::new();
        record.put("kind", self.kind);
        record.put("place", self.place.as_str());
        record.put("message", self.message.as_str());
        record
    }
}

/// A folder that is looked over.
struct Inspection<'a> {
    /// The database's files.
    files: &'a Files,
    /// Who should have issued everything.
    issuer: &'a X509,
    /// The records by serial number, each with its line.
    rows: HashMap<Serial, (u64, Row)>,
    /// The serial numbers of the authority's certificates.
    issued: HashSet<Serial>,
    /// What was found.
    findings: Vec<Finding>,
}

/// Looks over a database and the folder of its certificates.
pub(crate) fn check(
    files: &Files,
    folder: &Path,
    issuer: &X509,
    list: Option<&X509Crl>,
    patience: Duration,
    watch: &mut dyn Watch,
) -> Result<Vec<Finding>> {
    let _lock = Lock::wait(&files.database, patience, watch)?;
    let mut inspection = Inspection {
        files,
        issuer,
        rows: HashMap::new(),
        issued: HashSet::new(),
        findings: Vec::new(),
    };
    inspection.index()?;
    inspection.leftovers()?;
    inspection.certificates(folder, watch)?;
    inspection.numbers()?;
    if let Some(list) = list {
        inspection.list(list)?;
    }
    Ok(inspection.findings)
}

impl Inspection<'_> {
    /// Notes something.
    fn find(&mut self, kind: &'static str, place: impl ToString, message: String) {
        let place = place.to_string();
        self.findings.push(Finding {
            kind,
            place,
            message,
        });
    }

    /// Looks at every line of the index.
    fn index(&mut self) -> Result<()> {
        if disk::stamp(&self.files.database)?.is_none() {
            let path = self.files.database.display();
            let message = format!("there is no certificate database \"{path}\"");
            self.find("index", path, message);
            return Ok(());
        }
        let text = File::open(&self.files.database)?;
        let unique = read_attributes(&self.files.database)?.unwrap_or(self.files.unique_subject);
        let mut subjects: HashMap<Vec<u8>, u64> = HashMap::new();
        scan_lines(&text, &mut |number, _, line| {
            match line.and_then(row::parse) {
                Err(why) => self.find("line", number, format!("line {number} of the index: {why}")),
                Ok(Line::Comment) => {}
                Ok(Line::Empty) => {
                    self.find(
                        "empty",
                        number,
                        format!("line {number} of the index is empty"),
                    );
                }
                Ok(Line::Row(row)) => {
                    let row = row.to_row();
                    let twin = match row.status == Status::Valid && unique {
                        true => subjects.insert(row.name.clone(), number),
                        false => None,
                    };
                    if let Some(first) = twin {
                        let message = format!(
                            "the lines {first} and {number} of the index are both valid and have the same subject"
                        );
                        self.find("subject", number, message);
                    }
                    self.row(number, row);
                }
            }
            Ok(())
        })
    }

    /// Looks at a record.
    fn row(&mut self, number: u64, row: Row) {
        let serial = row.serial.clone();
        if row.status == Status::Revoked
            && let Err(why) = Revocation::parse(&row.revocation)
        {
            self.find("line", number, format!("line {number} of the index: {why}"));
        }
        if let Some((first, _)) = self.rows.insert(serial.clone(), (number, row)) {
            let message = format!(
                "the lines {first} and {number} of the index have the same serial number {serial}"
            );
            self.find("double", &serial, message);
        }
    }

    /// Looks for what a command that died has left.
    fn leftovers(&mut self) -> Result<()> {
        let journal = journal_path(&self.files.database);
        if journal::read(&journal)?.is_some() || journal::is_torn(&journal)? {
            let message =
                "a command died before it was done; the next one will repair that".to_owned();
            self.find("unfinished", journal.display(), message);
        }
        let (attributes, last_list) = (
            attributes_path(&self.files.database),
            last_list_path(&self.files.database),
        );
        let names = [
            Some(&self.files.database),
            Some(&attributes),
            Some(&last_list),
            self.files.serial.as_ref(),
            self.files.crl_number.as_ref(),
        ];
        for path in names.into_iter().flatten() {
            let left = disk::beside(path, ".new");
            if disk::stamp(&left)?.is_some() {
                let message = format!(
                    "\"{}\" was left behind by a command that died",
                    left.display()
                );
                self.find("leftover", left.display(), message);
            }
        }
        Ok(())
    }

    /// Compares the files of certificates with the records.
    fn certificates(&mut self, folder: &Path, watch: &mut dyn Watch) -> Result<()> {
        let key = self.issuer.public_key();
        let key = key.map_err(|stack| failed("can't read the authority's key", &stack))?;
        let mut paths = disk::list(folder)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
        let steps = Steps::certificates(watch, paths.len());
        let held = parallel::map(&paths, steps, |path| {
            let bytes = disk::read(path)?.unwrap_or_default();
            let certificate = request::held(&bytes);
            certificate.map(|one| Held::of(&one, &key)).transpose()
        })?;
        let mut seen = HashSet::new();
        for (path, held) in paths.iter().zip(held) {
            seen.extend(self.certificate(path, held));
        }
        let mut missing: Vec<Serial> = self
            .rows
            .keys()
            .filter(|serial| !seen.contains(serial))
            .cloned()
            .collect();
        missing.sort();
        for serial in missing {
            let message = format!("there is no file of the certificate {serial}");
            self.find("file", &serial, message);
        }
        Ok(())
    }

    /// Compares what a certificate's file holds with its record; gives its serial number if it is a certificate.
    fn certificate(&mut self, path: &Path, held: Option<Held>) -> Option<Serial> {
        let shown = path.display().to_string();
        let Some(held) = held else {
            let message = format!("\"{shown}\" doesn't hold a whole certificate");
            self.find("certificate", &shown, message);
            return None;
        };
        let serial = &held.serial;
        if path
            .file_stem()
            .is_none_or(|stem| *stem != *serial.to_string())
        {
            let message = format!("\"{shown}\" holds the certificate {serial}");
            self.find("name", &shown, message);
        }
        if !held.own {
            let message = format!("the certificate in \"{shown}\" wasn't issued by this authority");
            self.find("foreign", &shown, message);
        } else {
            self.issued.insert(serial.clone());
        }
        match self.rows.get(serial) {
            None => {
                let message = format!("the certificate in \"{shown}\" has no record");
                self.find("orphan", &shown, message);
            }
            Some((number, row)) => {
                let number = *number;
                if let Some(what) = held.difference(row) {
                    let message = format!(
                        "line {number} of the index has another {what} than the certificate in \"{shown}\""
                    );
                    self.find("record", number, message);
                }
            }
        }
        Some(held.serial)
    }

    /// Looks at the serial file and the CRL number.
    fn numbers(&mut self) -> Result<()> {
        let number = |path: &PathBuf| -> Result<Option<Serial>> {
            Ok(disk::read(path)?.and_then(|bytes| Serial::parse_file(&bytes)))
        };
        if let Some(path) = &self.files.serial {
            match number(path)? {
                None => self.find(
                    "serial",
                    path.display(),
                    format!("\"{}\" holds no serial number", path.display()),
                ),
                Some(next) if self.rows.contains_key(&next) || self.issued.contains(&next) => {
                    let message = format!("the next serial number, {next}, has been used already");
                    self.find("serial", path.display(), message);
                }
                Some(_) => {}
            }
        }
        if let Some(path) = &self.files.crl_number
            && number(path)?.is_none()
        {
            self.find(
                "crlnumber",
                path.display(),
                format!("\"{}\" holds no number", path.display()),
            );
        }
        Ok(())
    }
}

/// Looks over a database that holds its certificates.
pub(crate) fn check_vault(
    vault: &mut dyn Vault,
    issuer: &X509,
    list: Option<&X509Crl>,
    watch: &mut dyn Watch,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut find = |kind: &'static str, serial: &str, message: String| {
        findings.push(Finding {
            kind,
            place: serial.to_owned(),
            message,
        });
    };
    let Numbers {
        serial: next,
        crl_number,
        unique_subject,
        ..
    } = match vault.numbers() {
        Ok(numbers) => {
            if numbers.serial.is_none() {
                let message = "there is no serial number for the next certificate".to_owned();
                find("serial", "tls_ca_state", message);
            }
            numbers
        }
        // That what stands beside the records can't be read is found, unless nothing can.
        Err(error) => {
            let numbers = vault.numbers().map_err(|_| error.clone())?;
            find("serial", "tls_ca_state", error.message());
            numbers
        }
    };
    let key = issuer
        .public_key()
        .map_err(|stack| failed("can't read the authority's key", &stack))?;
    let mut subjects: HashMap<Vec<u8>, Serial> = HashMap::new();
    let mut steps = Steps::records(watch, vault.len());
    vault.each_found(&mut |found| {
        steps.one()?;
        let shown = &found.serial;
        let row = match found.row {
            Ok(row) => row,
            Err(why) => {
                find(
                    "line",
                    shown,
                    format!("the record of certificate {shown}: {why}"),
                );
                return Ok(());
            }
        };
        let serial = &row.serial;
        if !found.indexed {
            let message =
                format!("the record of certificate {shown} isn't found by what it says of it");
            find("index", shown, message);
        }
        if next.as_ref() == Some(serial) {
            let message = format!("the next serial number, {serial}, has been used already");
            find("serial", shown, message);
        }
        let twin = match row.status == Status::Valid && unique_subject {
            true => subjects.insert(row.name.clone(), serial.clone()),
            false => None,
        };
        if let Some(first) = twin {
            let message = format!(
                "the certificates {first} and {serial} are both valid and have the same subject"
            );
            find("subject", shown, message);
        }
        if row.status == Status::Revoked
            && let Err(why) = Revocation::parse(&row.revocation)
        {
            find(
                "revocation",
                shown,
                format!("the record of certificate {serial}: {why}"),
            );
        }
        let Some(text) = &found.certificate else {
            find("file", shown, format!("there is no certificate {serial}"));
            return Ok(());
        };
        let Some(certificate) = request::held(text.as_bytes()) else {
            let message = format!("the record of certificate {serial} holds no whole certificate");
            find("certificate", shown, message);
            return Ok(());
        };
        let held = Held::of(&certificate, &key)?;
        if held.serial != *serial {
            let message = format!(
                "the record of certificate {serial} holds the certificate {}",
                held.serial
            );
            find("name", shown, message);
        }
        if !held.own {
            let message = format!("the certificate {serial} wasn't issued by this authority");
            find("foreign", shown, message);
        }
        if let Some(what) = held.difference(&row) {
            let message = format!(
                "the record of certificate {serial} has another {what} than the certificate"
            );
            find("record", shown, message);
        }
        Ok(())
    })?;
    if let Some(list) = list {
        let numbered = crl_number.map(|number| ("the database".to_owned(), number));
        let mut status = |serial: &Serial| Ok(vault.record(serial)?.map(|row| row.status));
        findings.extend(compare(list, issuer, numbered, &mut status)?);
    }
    Ok(findings)
}

impl Inspection<'_> {
    /// Compares the newest revocation list with the records.
    fn list(&mut self, list: &X509Crl) -> Result<()> {
        let numbered = match &self.files.crl_number {
            Some(path) => disk::read(path)?
                .and_then(|bytes| Serial::parse_file(&bytes))
                .map(|next| (path.display().to_string(), next)),
            None => None,
        };
        let mut status = |serial: &Serial| Ok(self.rows.get(serial).map(|(_, row)| row.status));
        let found = compare(list, self.issuer, numbered, &mut status)?;
        self.findings.extend(found);
        Ok(())
    }
}

/// Tells the status of a record, if there is one.
type StatusOf<'a> = dyn FnMut(&Serial) -> Result<Option<Status>> + 'a;

/// Compares a revocation list with the records: what it says was true once. `numbered` is where the next list's number
/// is, and that number.
fn compare(
    list: &X509Crl,
    issuer: &X509,
    numbered: Option<(String, Serial)>,
    status: &mut StatusOf<'_>,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut find = |kind, place: String, message| {
        findings.push(Finding {
            kind,
            place,
            message,
        });
    };
    let own = issuer.public_key().and_then(|key| list.verify(&key));
    crate::ossl::error::queue();
    if !own.unwrap_or(false) {
        let message = "the revocation list wasn't made by this authority".to_owned();
        find("foreign", "crl".to_owned(), message);
        return Ok(findings);
    }
    let der = list.to_der();
    let der = der.map_err(|stack| failed("can't read the revocation list", &stack))?;
    let listed = frame::crl(&der).unwrap_or_default();
    let number = listed
        .extensions
        .iter()
        .find(|extension| extension.oid == CRL_NUMBER)
        .and_then(|extension| der::one(extension.value)?.expect(der::tag::INTEGER));
    if let (Some((place, next)), Some(last)) = (numbered, number.map(crl::number))
        && next <= last
    {
        let message = format!("the next CRL number, {next}, isn't above the last one, {last}");
        find("crlnumber", place, message);
    }
    for revoked in listed.revoked {
        let serial = crl::number(revoked.serial);
        let said = match status(&serial)? {
            None => Some("has no record"),
            Some(Status::Revoked) => None,
            Some(_) if is_hold(&revoked) => None,
            Some(_) => Some("isn't revoked by its record"),
        };
        if let Some(said) = said {
            let message = format!("the certificate {serial} is in the revocation list, but {said}");
            find("list", serial.to_string(), message);
        }
    }
    Ok(findings)
}

/// Whether an entry is a hold, which may have been lifted since.
fn is_hold(revoked: &frame::Revoked<'_>) -> bool {
    let mut extensions = revoked.extensions.iter();
    extensions.any(|extension| {
        let reason = der::one(extension.value).and_then(|it| it.expect(der::tag::ENUMERATED));
        extension.oid == REASON_CODE && reason == Some(&[6])
    })
}

/// The extensions of a list's number and of an entry's reason.
const CRL_NUMBER: &str = "2.5.29.20";
const REASON_CODE: &str = "2.5.29.21";

/// What of a certificate is compared with its record.
struct Held {
    /// Its serial number.
    serial: Serial,
    /// Whether the authority has issued it.
    own: bool,
    /// Its subject, in one line.
    name: String,
    /// When it ends.
    end: i64,
}

impl Held {
    /// What is compared of a certificate; `key` is the authority's.
    fn of(certificate: &X509, key: &PKeyRef<Public>) -> Result<Self> {
        let own = certificate.verify(key);
        crate::ossl::error::queue();
        Ok(Self {
            serial: serial_of(certificate)?,
            own: own.unwrap_or(false),
            name: name::oneline(certificate.subject_name()),
            end: validity_of(certificate)?.1,
        })
    }

    /// In what a record differs from it.
    fn difference(&self, row: &Row) -> Option<&'static str> {
        let same_name = row.name == self.name.as_bytes()
            || self.name.is_empty() && row.name == row.serial.to_string().as_bytes();
        match (same_name, time::parse(&row.expiry).ok() == Some(self.end)) {
            (false, _) => Some("subject"),
            (true, false) => Some("end"),
            (true, true) => None,
        }
    }
}
