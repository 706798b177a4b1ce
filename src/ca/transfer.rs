//! Moving an authority between files and a database that holds its certificates. Nothing is lost on the way.

use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Reason, Result};

use super::disk;
use super::folder::{Folder, attributes_path, last_list_path};
use super::lock::Lock;
use super::request;
use super::revoke::serial_of;
use super::row::Row;
use super::store::{Files, Kept, Numbers, Store, Vault};
use super::watch::{Steps, Watch};

/// How many records go into a database at a time.
const BATCH: usize = 1000;

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// How many records.
    pub(crate) records: u64,
    /// How many of them with their certificates.
    pub(crate) certificates: u64,
}

/// Makes a database of an authority in files, with the certificates from `folder` if there is one.
///
/// The files stay as they are.
pub(crate) fn import(
    files: Files,
    folder: Option<&Path>,
    patience: Duration,
    vault: &mut dyn Vault,
    watch: &mut dyn Watch,
) -> Result<Moved> {
    let numbered = files
        .serial
        .as_ref()
        .is_some_and(|path| disk::stamp(path).is_ok_and(|stamp| stamp.is_some()));
    let mut from = Folder::open(files, patience, watch)?;
    let numbers = Numbers {
        serial: match numbered {
            true => Some(from.serial()?),
            false => None,
        },
        crl_number: from.crl_number()?,
        last_list: from.last_list()?,
        unique_subject: from.unique_subject()?,
    };
    vault.found(numbers.unique_subject)?;
    let mut moved = Moved::default();
    let mut batch = Vec::new();
    let mut steps = Steps::records(watch, from.len());
    from.each(&mut |row| {
        steps.one()?;
        let row = row.to_row();
        let certificate = match folder {
            Some(folder) => certificate_of(&row, folder)?,
            None => None,
        };
        moved.records += 1;
        moved.certificates += u64::from(certificate.is_some());
        batch.push(Kept { row, certificate });
        match batch.len() >= BATCH {
            true => vault.fill(std::mem::take(&mut batch)),
            false => Ok(()),
        }
    })?;
    vault.fill(batch)?;
    watch.decide()?;
    vault.seal(&numbers)?;
    Ok(moved)
}

/// The certificate of a record, if its file holds it.
fn certificate_of(row: &Row, folder: &Path) -> Result<Option<String>> {
    let path = folder.join(format!("{}.pem", row.serial));
    let Some(bytes) = disk::read(&path)? else {
        return Ok(None);
    };
    let shown = path.display().to_string();
    let certificate = request::certificate(&bytes, &shown)?;
    if serial_of(&certificate)? != row.serial {
        let message = format!("\"{shown}\" holds another certificate than its name says");
        return Err(Error::failed_with(Reason::CaDatabase, [&shown], message));
    }
    let pem = certificate.to_pem();
    let pem =
        pem.map_err(|stack| crate::ossl::error::failed("can't write a certificate", &stack))?;
    Ok(Some(String::from_utf8_lossy(&pem).into_owned()))
}

/// Makes files of an authority in a database, the certificates in `folder` if there is one.
///
/// The database stays as it is. The index comes last, so that one that was begun and not ended can be begun again.
pub(crate) fn export(
    vault: &mut dyn Vault,
    files: &Files,
    folder: Option<&Path>,
    patience: Duration,
    watch: &mut dyn Watch,
) -> Result<Moved> {
    let _lock = Lock::wait(&files.database, patience, watch)?;
    if disk::stamp(&files.database)?.is_some_and(|stamp| stamp.len > 0) {
        let path = files.database.display().to_string();
        let message = format!("\"{path}\" has records already");
        return Err(Error::failed_with(
            Reason::CaDatabase,
            [&path, "present"],
            message,
        ));
    }
    let numbers = vault.numbers()?;
    let mut moved = Moved::default();
    let mut steps = Steps::records(watch, vault.len());
    let index = disk::stage_with(&files.database, |sink| {
        vault.each_kept(&mut |kept| {
            steps.one()?;
            sink.put(&kept.row.to_line())?;
            moved.records += 1;
            if let (Some(folder), Some(certificate)) = (folder, kept.certificate) {
                let path = folder.join(format!("{}.pem", kept.row.serial));
                disk::stage(&path, certificate.as_bytes())?.finish(false)?;
                moved.certificates += 1;
            }
            Ok(())
        })
    })?;
    let word = if numbers.unique_subject { "yes" } else { "no" };
    let mut texts = vec![(
        attributes_path(&files.database),
        format!("unique_subject = {word}\n").into_bytes(),
    )];
    if let Some(last) = numbers.last_list {
        let text = format!("{last}\n").into_bytes();
        texts.push((last_list_path(&files.database), text));
    }
    for (path, number) in [
        (&files.serial, &numbers.serial),
        (&files.crl_number, &numbers.crl_number),
    ] {
        if let (Some(path), Some(number)) = (path, number) {
            texts.push((path.clone(), number.to_file()));
        }
    }
    watch.decide()?;
    for (path, bytes) in texts {
        disk::stage(&path, &bytes)?.finish(false)?;
    }
    if let Some(folder) = folder {
        disk::sync_folder(folder)?;
    }
    index.finish(false)?;
    disk::sync_folder(&disk::folder_of(&files.database))?;
    Ok(moved)
}
