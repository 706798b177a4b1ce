//! `tls::ca -check`, `-rebuild`, `-import` and `-export`: care for the database as a whole.
//!
//! Unlike the other operations they may work on the files and the folder directly; `-check` changes nothing.

use std::path::{Path, PathBuf};

use openssl::x509::X509Crl;

use super::Job;
use super::outcome::Outcome;
use super::task::Work;
use crate::ca::check::{self, Finding};
use crate::ca::rebuild::{self, Rebuilt};
use crate::ca::store::Purpose;
use crate::ca::{disk, transfer};
use crate::error::Result;
use crate::tcl::files;
use crate::value::Value;

impl Job<'_> {
    /// Looks for what doesn't fit; the result has a line for each finding. A database behind a connection is looked
    /// over by [`Job::check_database`].
    pub(super) fn check(&self) -> Result<Option<Work>> {
        if self.connection.is_some() {
            return Ok(None);
        }
        let (issuer, list) = (self.certificate()?, self.last_list()?);
        let (files, folder, patience) = (self.files()?, self.folder()?, self.patience()?);
        Ok(Some(Box::new(move |_, watch| {
            let list = list.as_ref();
            let findings = check::check(&files, &folder, &issuer, list, patience, watch)?;
            Ok(found(&findings))
        })))
    }

    /// The same for a database behind a connection.
    pub(super) fn check_database(&self) -> Result<Outcome> {
        let (issuer, list) = (self.certificate()?, self.last_list()?);
        let mut database = self.connected("-check", Purpose::Look)?;
        let (list, watch) = (list.as_ref(), &mut self.watch());
        let findings = check::check_vault(&mut database, &issuer, list, watch)?;
        Ok(found(&findings))
    }

    /// The revocation list that the records are compared with.
    fn last_list(&self) -> Result<Option<X509Crl>> {
        match (&self.operations.crlfile, self.config.value("crl")) {
            (None, Some(file)) if files::native(&file).is_ok_and(|path| path.exists()) => {
                self.inputs.revocation_list("crl", &file).map(Some)
            }
            _ => self.told_list(),
        }
    }

    /// The revocation list of `-crlfile`.
    fn told_list(&self) -> Result<Option<X509Crl>> {
        let file = self.operations.crlfile.as_ref();
        file.map(|file| self.inputs.revocation_list("-crlfile", file))
            .transpose()
    }

    /// Makes the database again. One behind a connection is made again by [`Job::rebuild_database`].
    pub(super) fn rebuild(&self) -> Result<Option<Work>> {
        if self.connection.is_some() {
            return Ok(None);
        }
        let (issuer, folder, list) = (self.certificate()?, self.folder()?, self.told_list()?);
        let (files, patience, now) = (self.files()?, self.patience()?, self.now);
        Ok(Some(Box::new(move |_, watch| {
            let list = list.as_ref();
            let made = rebuild::rebuild(&files, &folder, &issuer, list, now, patience, watch)?;
            Ok(rebuilt(made))
        })))
    }

    /// The same for a database behind a connection.
    pub(super) fn rebuild_database(&self) -> Result<Outcome> {
        let (issuer, list) = (self.certificate()?, self.told_list()?);
        // The database may have everything, and this host no folder.
        let folder = match (&self.reporting.outdir, self.config.value("new_certs_dir")) {
            (None, Some(name)) if !disk::is_folder(Path::new(&name)) => None,
            _ => self.named_folder()?,
        };
        let unique = self.config.files(None)?.unique_subject;
        let mut database = self.connected("-rebuild", Purpose::Change)?;
        let made = rebuild::rebuild_vault(
            &mut database,
            folder.as_deref(),
            &issuer,
            list.as_ref(),
            unique,
            self.now,
            &mut self.watch(),
        )?;
        Ok(rebuilt(made))
    }

    /// Moves the authority between its files and a database.
    pub(super) fn transfer(&self, outcome: &mut Outcome) -> Result<()> {
        let folder = self.named_folder()?;
        let (files, patience) = (self.config.files(None)?, self.patience()?);
        let watch = &mut self.watch();
        let moved = match self.operations.import {
            Some(_) => {
                let mut database = self.connected("-import", Purpose::Change)?;
                transfer::import(files, folder.as_deref(), patience, &mut database, watch)?
            }
            None => {
                // It is copied as it is at one moment, and nobody waits for that.
                let mut database = self.connected("-export", Purpose::Look)?;
                transfer::export(&mut database, &files, folder.as_deref(), patience, watch)?
            }
        };
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        outcome.info.put("records", count(moved.records));
        outcome.info.put("certificates", count(moved.certificates));
        Ok(())
    }

    /// The folder of certificates, if there is a name of one.
    fn named_folder(&self) -> Result<Option<PathBuf>> {
        let named = self.reporting.outdir.is_some() || self.config.value("new_certs_dir").is_some();
        named.then(|| self.folder()).transpose()
    }
}

/// What was made again.
fn rebuilt(made: Rebuilt) -> Outcome {
    let mut outcome = Outcome::default();
    outcome
        .info
        .put("records", i64::try_from(made.rows).unwrap_or(i64::MAX));
    outcome.info.put("skipped", made.skipped);
    outcome
}

/// What was found, a line for each.
fn found(findings: &[Finding]) -> Outcome {
    let mut outcome = Outcome::default();
    for finding in findings {
        outcome.result.extend_from_slice(finding.message.as_bytes());
        outcome.result.push(b'\n');
    }
    let records = findings
        .iter()
        .map(|finding| Value::Record(finding.record()));
    outcome.info.put("findings", records.collect::<Vec<_>>());
    outcome
}
