//! Making the records of a database again that holds its certificates.
//!
//! Unlike an index, it may be sound but for a few records, and knows what no certificate says: what is sound stays as it
//! is, so that only what is wrong is written. A record that tells of a revocation keeps it, whatever the list says.

use std::collections::HashMap;
use std::path::Path;

use openssl::pkey::{PKey, Public};
use openssl::x509::{X509, X509Crl};

use super::{Rebuilt, entries};
use crate::ca::disk;
use crate::ca::request;
use crate::ca::revoke::row_of;
use crate::ca::row::{Row, Status};
use crate::ca::serial::Serial;
use crate::ca::store::{Found, Kept, Numbers, Vault};
use crate::ca::watch::{Steps, Watch};
use crate::error::Result;
use crate::ossl::error::{failed, queue};

/// Makes the records again, and the serial and CRL number where they lag behind. `folder` may have more certificates.
///
/// A database without an authority gets one, with `unique_subject`.
pub(crate) fn rebuild_vault(
    vault: &mut dyn Vault,
    folder: Option<&Path>,
    issuer: &X509,
    list: Option<&X509Crl>,
    unique_subject: bool,
    now: i64,
    watch: &mut dyn Watch,
) -> Result<Rebuilt> {
    let (revoked, last_list) = match list {
        Some(list) => entries(list, issuer)?,
        None => (HashMap::new(), None),
    };
    let key = issuer.public_key();
    let key = key.map_err(|stack| failed("can't read the authority's key", &stack))?;
    let mut numbers = match vault.numbers() {
        Err(error) if error.code().get(3).is_some_and(|word| word == "absent") => {
            vault.found(unique_subject)?;
            Numbers::default()
        }
        // Numbers that can't be read are made again.
        Err(error) if error.code().get(2).is_some_and(|word| word == "DATABASE") => {
            vault.numbers().map_err(|_| error)?
        }
        numbers => numbers?,
    };
    let mut work = Work {
        key,
        revoked,
        now,
        places: HashMap::new(),
        mended: Vec::new(),
        skipped: Vec::new(),
    };
    let mut steps = Steps::records(watch, vault.len());
    vault.each_found(&mut |found| {
        steps.one()?;
        work.look(found)
    })?;
    let added = match folder {
        Some(folder) => work.complete(folder)?,
        None => Vec::new(),
    };
    let rows = work.places.len() as u64;
    let last = work.places.keys().max().cloned();
    let first = || Serial::from_magnitude(&[1], false);
    for (number, last) in [
        (&mut numbers.serial, last),
        (&mut numbers.crl_number, last_list),
    ] {
        let wanted = last.map_or_else(first, |last| last.next());
        if number.as_ref().is_none_or(|number| *number < wanted) {
            *number = Some(wanted);
        }
    }
    watch.decide()?;
    vault.mend(work.mended)?;
    vault.fill(added)?;
    vault.seal(&numbers)?;
    Ok(Rebuilt {
        rows,
        skipped: work.skipped,
    })
}

/// What is known of a record's place.
struct Place {
    /// The place; none for a record that is to be added.
    place: Option<i64>,
    /// Whether the certificate is there.
    complete: bool,
}

/// What the records are made of.
struct Work {
    /// The authority's key.
    key: PKey<Public>,
    /// What the list says of each.
    revoked: HashMap<Serial, String>,
    /// Now.
    now: i64,
    /// Where each record is.
    places: HashMap<Serial, Place>,
    /// The records that are made again.
    mended: Vec<(i64, Kept)>,
    /// What holds no certificate of this authority.
    skipped: Vec<String>,
}

impl Work {
    /// Looks at a record, and makes it again if it isn't what its certificate says.
    fn look(&mut self, found: Found) -> Result<()> {
        let Found {
            place,
            serial,
            row: present,
            indexed,
            certificate,
        } = found;
        let complete = certificate.is_some();
        let wanted = match &certificate {
            Some(text) => self.own(text.as_bytes())?,
            None => None,
        };
        let row = match (wanted, &present) {
            (Some(row), _) => self.with_status(row, present.as_ref().ok()),
            // What has no certificate is left, and found again.
            (None, Ok(row)) if !complete => row.clone(),
            _ => {
                self.skipped.push(serial);
                return Ok(());
            }
        };
        if self.places.contains_key(&row.serial) {
            self.skipped.push(serial);
            return Ok(());
        }
        let known = Place {
            place: Some(place),
            complete,
        };
        self.places.insert(row.serial.clone(), known);
        if !indexed || present.as_ref() != Ok(&row) {
            self.mended.push((place, Kept { row, certificate }));
        }
        Ok(())
    }

    /// Looks for certificates in a folder that the database doesn't have; gives the records to be added.
    fn complete(&mut self, folder: &Path) -> Result<Vec<Kept>> {
        let mut added = Vec::new();
        for path in disk::list(folder)? {
            let bytes = disk::read(&path)?.unwrap_or_default();
            let Some(row) = self.own(&bytes)? else {
                self.skipped.push(path.display().to_string());
                continue;
            };
            let (place, complete) = match self.places.get(&row.serial) {
                Some(known) => (known.place, known.complete),
                None => (None, false),
            };
            if complete {
                continue;
            }
            let certificate = request::certificate(&bytes, "certificate")?.to_pem();
            let certificate =
                certificate.map_err(|stack| failed("can't write a certificate", &stack))?;
            let certificate = Some(String::from_utf8_lossy(&certificate).into_owned());
            let serial = row.serial.clone();
            let row = self.with_status(row, None);
            match place {
                Some(place) => self.mended.push((place, Kept { row, certificate })),
                None => added.push(Kept { row, certificate }),
            }
            let known = Place {
                place,
                complete: true,
            };
            self.places.insert(serial, known);
        }
        Ok(added)
    }

    /// The record of a certificate, if the authority has issued it.
    fn own(&self, bytes: &[u8]) -> Result<Option<Row>> {
        let certificate = request::held(bytes);
        let own = certificate.filter(|one| one.verify(&self.key).unwrap_or(false));
        queue();
        own.as_ref().map(row_of).transpose()
    }

    /// A record with its status: by the list, by the record that was there, by its end.
    fn with_status(&self, mut row: Row, present: Option<&Row>) -> Row {
        let known = present.filter(|present| present.serial == row.serial);
        match known.filter(|known| known.status == Status::Revoked) {
            Some(known) => {
                row.status = Status::Revoked;
                row.revocation.clone_from(&known.revocation);
            }
            None => match self.revoked.get(&row.serial) {
                Some(revocation) => {
                    row.status = Status::Revoked;
                    row.revocation.clone_from(revocation);
                }
                None if row.view().expires() <= self.now => row.status = Status::Expired,
                None => {}
            },
        }
        if let Some(known) = known {
            row.file.clone_from(&known.file);
        }
        row
    }
}
