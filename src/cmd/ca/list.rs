//! `tls::ca -gencrl`: revocation lists, complete ones and those that add to one.
//!
//! Reads the list that `-delta` names; writes the output and what the database keeps of lists.

use super::Job;
use super::inputs::{above_zero, moment, option_error};
use super::outcome::{Ground, Outcome, ready};
use crate::ca::authority::Authority;
use crate::ca::config::Config;
use crate::ca::crl::{self, Plan};
use crate::ca::delta::{self, Base};
use crate::ca::journal::Change;
use crate::ca::lock::Lock;
use crate::ca::store::Store;
use crate::ca::watch::{Watch, Watched};
use crate::cmd::pki::shown;
use crate::error::Result;
use crate::tcl::files;
use crate::value::Record;
use crate::x509::time;

/// A revocation list that is to be made.
pub(super) struct Listing {
    /// The section of the configuration that has its extensions.
    section: Option<String>,
    /// When it is made, and when the next one comes.
    times: (i64, i64),
    /// The file of the complete list that a delta list is to add to: its name, and what it holds.
    file: Option<(String, Vec<u8>)>,
    /// That list, once it was read.
    base: Option<Base>,
}

impl Listing {
    /// Reads the complete list that a delta list is to add to.
    pub(super) fn read_base(&mut self, authority: &Authority) -> Result<()> {
        if let Some((source, content)) = &self.file {
            self.base = Some(Base::read(content, authority.certificate()?, source)?);
        }
        Ok(())
    }

    /// Makes a revocation list.
    pub(super) fn list(
        &self,
        authority: &Authority,
        config: &Config,
        store: &mut Watched<'_>,
        ground: &mut dyn Ground,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let number = store.crl_number()?;
        let (this_update, next_update) = self.times;
        let section = self.section.as_deref();
        let plan = Plan {
            this_update,
            next_update,
            extensions: section.map(|section| (config.conf(), section)),
            number: number.clone(),
            base: self.base.as_ref().map(|base| base.number.clone()),
        };
        let mut record = Record::new();
        let list = match &self.base {
            Some(base) => {
                let made = delta::generate(authority, &plan, base, store)?;
                record.put("base", base.number.to_string());
                record.put("removed", i64::try_from(made.removed).unwrap_or(i64::MAX));
                made.list
            }
            None => crl::generate(authority, &plan, store)?,
        };
        let out = ready(ground.output()?, |sink| {
            list.write_pem(&mut |part| sink.put(part))
        })?;
        let mut changes = Vec::new();
        // What has ended may only leave once a complete list has had it.
        if self.base.is_none() {
            changes.push(Change::Listed(this_update));
        }
        changes.extend(
            number
                .as_ref()
                .map(|number| Change::CrlNumber(number.next())),
        );
        store.commit(changes)?;
        outcome.put(out);
        if let Some(number) = number {
            record.put("number", number.to_string());
        }
        record.put("entries", i64::try_from(list.len()).unwrap_or(i64::MAX));
        record.put("lastUpdate", time::text(this_update));
        record.put("nextUpdate", time::text(next_update));
        outcome.step(format!("made a list of {} certificates", list.len()));
        outcome.info.put("crl", record);
        Ok(())
    }
}

impl Job<'_> {
    /// What a revocation list needs.
    pub(super) fn listing(&self) -> Result<Listing> {
        let section = self
            .revoking
            .crlexts
            .clone()
            .or_else(|| self.config.value("crl_extensions"));
        if let Some(section) = &section {
            self.config.section(section)?;
        }
        let file = self.revoking.delta.as_ref().map(|file| {
            let content = self.inputs.document("-delta", file)?;
            Ok((shown(file).to_owned(), content))
        });
        Ok(Listing {
            section,
            times: self.list_times()?,
            file: file.transpose()?,
            base: None,
        })
    }

    /// The turn to write a list to its file, where the database is behind a connection: such a database is free again
    /// before the file has its name, and of two lists for one file the later one is to stay.
    ///
    /// Where it can't be had, there is none: the database alone decides what becomes of numbers and records.
    pub(super) fn list_turn(&self, watch: &mut dyn Watch) -> Result<Option<Lock>> {
        let file = self.output.out.as_deref().filter(|name| *name != "-");
        let file = file.and_then(|name| files::native(name).ok());
        match file {
            Some(path) if self.connection.is_some() && self.operations.gencrl.is_some() => {
                Ok(Lock::wait(&path, self.patience()?, watch).ok())
            }
            _ => Ok(None),
        }
    }

    /// When the list is made, and when the next one comes.
    fn list_times(&self) -> Result<(i64, i64)> {
        let revoking = &self.revoking;
        for (option, given) in [
            ("-crldays", revoking.crldays),
            ("-crlhours", revoking.crlhours),
            ("-crlsec", revoking.crlsec),
        ] {
            above_zero(option, given)?;
        }
        let this = match &revoking.crl_lastupdate {
            Some(text) => moment("-crl_lastupdate", text)?,
            None => self.now,
        };
        let next = match &revoking.crl_nextupdate {
            Some(text) => moment("-crl_nextupdate", text)?,
            None => self.now.saturating_add(self.list_span()?),
        };
        match next > this {
            true => Ok((this, next)),
            false => Err(option_error(
                "-crl_nextupdate",
                "the next revocation list would come before this one",
            )),
        }
    }

    /// How many seconds pass until the next list.
    fn list_span(&self) -> Result<i64> {
        let revoking = &self.revoking;
        let given =
            [revoking.crldays, revoking.crlhours, revoking.crlsec].map(Option::unwrap_or_default);
        let [days, hours, seconds] = match given {
            [0, 0, 0] => [
                self.config.number("default_crl_days")?.unwrap_or_default(),
                self.config.number("default_crl_hours")?.unwrap_or_default(),
                0,
            ],
            given => given,
        };
        let span = days
            .saturating_mul(86_400)
            .saturating_add(hours.saturating_mul(3_600))
            .saturating_add(seconds);
        match span {
            0 => Err(option_error(
                "-crldays",
                "nothing says when the next revocation list comes: neither -crldays, -crlhours, -crlsec or \
                 -crl_nextupdate nor default_crl_days or default_crl_hours",
            )),
            span => Ok(span),
        }
    }
}
