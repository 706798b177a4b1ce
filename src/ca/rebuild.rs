//! Making the records again from the issued certificates and a revocation list.

mod vault;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use openssl::x509::{X509, X509Crl};

use crate::error::{Error, Reason, Result};
use crate::x509::der::{self, tag};
use crate::x509::{frame, oid, time};

use super::crl;
use super::disk;
use super::folder::journal_path;
use super::journal;
use super::lock::Lock;
use super::parallel;
use super::request;
use super::revoke::{reason_field, row_of};
use super::row::{Row, Status};
use super::serial::Serial;
use super::store::Files;
use super::watch::{Steps, Watch};

pub(crate) use self::vault::rebuild_vault;

/// What was made.
pub(crate) struct Rebuilt {
    /// How many records.
    pub(crate) rows: u64,
    /// Files that hold no certificate of this authority.
    pub(crate) skipped: Vec<String>,
}

/// Makes the index again, and the serial and CRL number where they lag behind.
pub(crate) fn rebuild(
    files: &Files,
    folder: &Path,
    issuer: &X509,
    list: Option<&X509Crl>,
    now: i64,
    patience: Duration,
    watch: &mut dyn Watch,
) -> Result<Rebuilt> {
    let _lock = Lock::wait(&files.database, patience, watch)?;
    let (revoked, number) = match list {
        Some(list) => entries(list, issuer)?,
        None => (HashMap::new(), None),
    };
    let mut skipped = Vec::new();
    let mut rows = certificates(folder, issuer, &mut skipped, watch)?;
    for row in &mut rows {
        if let Some(revocation) = revoked.get(&row.serial) {
            row.status = Status::Revoked;
            row.revocation.clone_from(revocation);
        } else if row.view().expires() <= now {
            row.status = Status::Expired;
        }
    }
    rows.sort_by(|one, other| one.serial.cmp(&other.serial));
    let mut staged = vec![disk::stage_with(&files.database, |sink| {
        rows.iter().try_for_each(|row| sink.put(&row.to_line()))
    })?];
    let last = rows.last().map(|row| row.serial.clone());
    for (path, wanted) in [
        (&files.serial, last.map(|last| last.next())),
        (&files.crl_number, number.map(|number| number.next())),
    ] {
        let Some(path) = path else { continue };
        let present = disk::read(path)?.and_then(|bytes| Serial::parse_file(&bytes));
        let first = || Serial::from_magnitude(&[1], false);
        let wanted = wanted.unwrap_or_else(first);
        if present.is_none_or(|present| present < wanted) {
            staged.push(disk::stage(path, &wanted.to_file())?);
        }
    }
    watch.decide()?;
    // A change that was decided is of the index that was.
    let journal = journal_path(&files.database);
    if disk::stamp(&journal)?.is_some() {
        journal::clear(&journal)?;
    }
    for file in staged {
        file.finish(true)?;
    }
    disk::sync_folder(&disk::folder_of(&files.database))?;
    Ok(Rebuilt {
        rows: rows.len() as u64,
        skipped,
    })
}

/// The records of all certificates in a folder that the authority has issued.
fn certificates(
    folder: &Path,
    issuer: &X509,
    skipped: &mut Vec<String>,
    watch: &mut dyn Watch,
) -> Result<Vec<Row>> {
    let key = issuer
        .public_key()
        .map_err(|stack| crate::ossl::error::failed("can't read the authority's key", &stack))?;
    let paths = disk::list(folder)?;
    let steps = Steps::certificates(watch, paths.len());
    let read = parallel::map(&paths, steps, |path| {
        let bytes = disk::read(path)?.unwrap_or_default();
        let certificate = request::held(&bytes);
        let certificate = certificate.filter(|one| one.verify(&key).unwrap_or(false));
        crate::ossl::error::queue();
        certificate.as_ref().map(row_of).transpose()
    })?;
    let mut rows: HashMap<Serial, Row> = HashMap::new();
    for (path, row) in paths.iter().zip(read) {
        match row {
            Some(row) => {
                rows.insert(row.serial.clone(), row);
            }
            None => skipped.push(path.display().to_string()),
        }
    }
    Ok(rows.into_values().collect())
}

/// The entries of a revocation list as the index has them, and the list's number.
fn entries(list: &X509Crl, issuer: &X509) -> Result<(HashMap<Serial, String>, Option<Serial>)> {
    let unreadable = || Error::failed(Reason::CaRead, "the revocation list can't be read");
    let own = issuer.public_key().and_then(|key| list.verify(&key));
    crate::ossl::error::queue();
    if !own.unwrap_or(false) {
        let message = "the revocation list wasn't made by this authority";
        return Err(Error::failed_with(Reason::CaVerify, ["crl"], message));
    }
    let bytes = list.to_der().map_err(|_| unreadable())?;
    let list = frame::crl(&bytes).ok_or_else(unreadable)?;
    let mut revoked = HashMap::new();
    for entry in &list.revoked {
        let date = time::seconds(entry.date).and_then(|date| time::asn1(date).ok());
        let mut field = date.ok_or_else(unreadable)?;
        let (mut reason, mut since, mut hold) = (None, None, None);
        for extension in &entry.extensions {
            let value = der::one(extension.value);
            match extension.oid.as_str() {
                "2.5.29.21" => reason = value.and_then(|value| value.content.last().copied()),
                "2.5.29.24" => {
                    since = value.and_then(|value| String::from_utf8(value.content.to_vec()).ok());
                }
                "2.5.29.23" => {
                    let object = value.and_then(|value| value.expect(tag::OID));
                    hold = object.map(|object| oid::short_name(&frame::oid(object)));
                }
                _ => {}
            }
        }
        field.push_str(&reason_field(reason, since.as_deref(), hold.as_deref()));
        revoked.insert(crl::number(entry.serial), field);
    }
    let number = list
        .extensions
        .iter()
        .find(|extension| extension.oid == "2.5.29.20");
    let number = number.and_then(|extension| der::one(extension.value)?.expect(tag::INTEGER));
    Ok((revoked, number.map(crl::number)))
}
