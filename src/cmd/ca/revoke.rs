//! `tls::ca -revoke`, `-valid`, `-updatedb` and `-status`: records of the database that are changed or looked up.
//!
//! Reads the certificate that is meant; changes nothing but records.

use openssl::x509::X509;

use super::Job;
use super::inputs::option_error;
use super::outcome::Outcome;
use crate::ca::revoke::{self, Cause};
use crate::ca::serial::Serial;
use crate::ca::store::{Purpose, Store};
use crate::ca::watch::Watched;
use crate::error::Result;
use crate::value::{Record, Value};

/// A certificate that is to be revoked or entered.
pub(super) struct Revocation {
    /// The certificate.
    certificate: X509,
    /// The authority's.
    issuer: X509,
    /// Why it is revoked, unless it is entered.
    cause: Option<Cause>,
    /// Whether another authority's is taken as well.
    force: bool,
}

impl Revocation {
    /// Revokes the certificate, or enters it.
    pub(super) fn revoke(
        &self,
        store: &mut Watched<'_>,
        now: i64,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let (certificate, issuer) = (&self.certificate, Some(&self.issuer));
        let (key, done) = match &self.cause {
            Some(cause) => {
                let done = revoke::revoke(store, certificate, issuer, cause, self.force, now)?;
                ("revoked", done)
            }
            None => (
                "entered",
                revoke::enter(store, certificate, issuer, self.force)?,
            ),
        };
        store.commit(done.changes)?;
        outcome.step(format!("{key} a certificate"));
        outcome.info.put(key, done.record);
        Ok(())
    }
}

/// Marks what has ended; each record is told if that is wanted.
pub(super) fn update(
    store: &mut Watched<'_>,
    now: i64,
    told: bool,
    outcome: &mut Outcome,
) -> Result<()> {
    let mut ended = Vec::new();
    let changes = revoke::expire(store, now, &mut |row| {
        if told {
            ended.push(Value::Record(revoke::describe(row)));
        }
    })?;
    if !changes.is_empty() {
        store.commit(changes)?;
    }
    outcome.step("marked what has ended");
    outcome.info.put("expired", ended);
    Ok(())
}

impl Job<'_> {
    /// What revoking or entering a certificate needs.
    pub(super) fn revocation(&self, file: &str) -> Result<Revocation> {
        let revoking = self.operations.revoke.is_some();
        let option = if revoking { "-revoke" } else { "-valid" };
        let password = self.password.option();
        Ok(Revocation {
            certificate: self.inputs.certificate(option, file, password)?,
            issuer: self.certificate()?,
            cause: match revoking {
                true => Some(self.cause()?),
                false => None,
            },
            force: self.place.force.is_some(),
        })
    }

    /// Why a certificate is revoked: what the last of the four options says.
    fn cause(&self) -> Result<Cause> {
        let options = [
            "-crl_reason",
            "-crl_hold",
            "-crl_compromise",
            "-crl_CA_compromise",
        ];
        match self.words.given.last_of(&options) {
            None => Ok(Cause::None),
            Some(last) => match (last.spec.name, &*last.text()) {
                ("-crl_reason", word) => Cause::reason(word),
                ("-crl_hold", instruction) => Cause::hold(instruction),
                (option, text) => Cause::since(option, text, option == "-crl_CA_compromise"),
            },
        }
    }

    /// Looks a serial number up.
    pub(super) fn status(&self, text: &str, outcome: &mut Outcome) -> Result<()> {
        let serial = Serial::parse(text.as_bytes()).ok_or_else(|| {
            option_error(
                "-status",
                format!("bad serial number \"{text}\": must be hexadecimal digits"),
            )
        })?;
        let mut store = self.store(Purpose::Look)?;
        let row = store.record(&serial)?;
        let word = row.as_ref().map_or("unknown", |row| row.status.word());
        outcome.result.extend_from_slice(word.as_bytes());
        let mut record = Record::new();
        record.put("serial", serial.to_string());
        record.put("status", word);
        if let Some(row) = row {
            record.extend(revoke::describe(&row));
        }
        outcome.info.put("status", record);
        outcome.info.put("repaired", store.repairs().to_vec());
        Ok(())
    }
}
