//! `tls::ca -check`, `-rebuild`, `-import` and `-export`: care for the database as a whole.
//!
//! Unlike the other operations they may work on the files and the folder directly; `-check` changes nothing.

use super::inputs::option_error;
use super::{Job, Outcome};
use crate::ca::store::Purpose;
use crate::ca::{check, rebuild, transfer};
use crate::error::Result;
use crate::tcl::files;
use crate::value::Value;

impl Job<'_> {
    /// Looks for what doesn't fit; the result has a line for each finding.
    pub(super) fn check(&self, outcome: &mut Outcome) -> Result<()> {
        let issuer = self.certificate()?;
        let list = match (&self.operations.crlfile, self.config.value("crl")) {
            (None, Some(file)) if files::native(&file).is_ok_and(|path| path.exists()) => {
                Some(self.inputs.revocation_list("crl", &file)?)
            }
            (file, _) => file
                .as_ref()
                .map(|file| self.inputs.revocation_list("-crlfile", file))
                .transpose()?,
        };
        let findings = match self.database(Purpose::Look)? {
            Some(mut database) => check::check_vault(&mut database, &issuer, list.as_ref())?,
            None => {
                let (files, folder) = (self.files()?, self.folder()?);
                check::check(&files, &folder, &issuer, list.as_ref(), self.patience()?)?
            }
        };
        for finding in &findings {
            outcome.result.extend_from_slice(finding.message.as_bytes());
            outcome.result.push(b'\n');
        }
        let records = findings
            .iter()
            .map(|finding| Value::Record(finding.record()));
        outcome.info.put("findings", records.collect::<Vec<_>>());
        Ok(())
    }

    /// Makes the database again.
    pub(super) fn rebuild(&self, outcome: &mut Outcome) -> Result<()> {
        if self.connection.is_some() {
            return Err(option_error(
                "-rebuild",
                "-rebuild makes the authority's files again; -import makes a database of them",
            ));
        }
        let (issuer, folder) = (self.certificate()?, self.folder()?);
        let list = self.operations.crlfile.as_ref();
        let list = list.map(|file| self.inputs.revocation_list("-crlfile", file));
        let list = list.transpose()?;
        let files = self.files()?;
        let made = rebuild::rebuild(
            &files,
            &folder,
            &issuer,
            list.as_ref(),
            self.now,
            self.patience()?,
        )?;
        outcome
            .info
            .put("records", i64::try_from(made.rows).unwrap_or(i64::MAX));
        outcome.info.put("skipped", made.skipped);
        Ok(())
    }

    /// Moves the authority between its files and a database.
    pub(super) fn transfer(&self, outcome: &mut Outcome) -> Result<()> {
        let named = self.reporting.outdir.is_some() || self.config.value("new_certs_dir").is_some();
        let folder = match named {
            true => Some(self.folder()?),
            false => None,
        };
        let (files, patience) = (self.config.files(None)?, self.patience()?);
        let moved = match self.operations.import {
            Some(_) => {
                let mut database = self.connected("-import", Purpose::Change)?;
                transfer::import(files, folder.as_deref(), patience, &mut database)?
            }
            None => {
                let mut database = self.connected("-export", Purpose::Change)?;
                transfer::export(&mut database, &files, folder.as_deref(), patience)?
            }
        };
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        outcome.info.put("records", count(moved.records));
        outcome.info.put("certificates", count(moved.certificates));
        Ok(())
    }
}
