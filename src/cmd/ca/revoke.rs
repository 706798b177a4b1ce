//! `tls::ca -revoke`, `-valid`, `-updatedb` and `-status`: records of the database that are changed or looked up.
//!
//! Reads the certificate that is meant; changes nothing but records.

use openssl::x509::X509;

use super::inputs::option_error;
use super::{Job, Outcome};
use crate::ca::revoke::{self, Cause};
use crate::ca::serial::Serial;
use crate::ca::store::{Purpose, Store};
use crate::error::Result;
use crate::value::{Record, Value};

impl Job<'_> {
    /// The certificate to be revoked or entered, and the authority's.
    pub(super) fn revocation(&self, file: &str) -> Result<(X509, X509)> {
        let option = match self.operations.revoke {
            Some(_) => "-revoke",
            None => "-valid",
        };
        let password = self.password.option();
        let certificate = self.inputs.certificate(option, file, password)?;
        Ok((certificate, self.certificate()?))
    }

    /// Revokes a certificate, or enters it.
    pub(super) fn revoke(
        &self,
        certificate: &X509,
        issuer: &X509,
        store: &mut dyn Store,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let force = self.place.force.is_some();
        let (key, done) = match self.operations.revoke {
            Some(_) => {
                let cause = self.cause()?;
                let done =
                    revoke::revoke(store, certificate, Some(issuer), &cause, force, self.now)?;
                ("revoked", done)
            }
            None => (
                "entered",
                revoke::enter(store, certificate, Some(issuer), force)?,
            ),
        };
        store.commit(done.changes)?;
        outcome.step(format!("{key} a certificate"));
        outcome.info.put(key, done.record);
        Ok(())
    }

    /// Why a certificate is revoked: what the last of the four options says.
    fn cause(&self) -> Result<Cause> {
        let options = [
            "-crl_reason",
            "-crl_hold",
            "-crl_compromise",
            "-crl_CA_compromise",
        ];
        match self.words.last_of(&options) {
            None => Ok(Cause::None),
            Some(("-crl_reason", word)) => Cause::reason(&word),
            Some(("-crl_hold", instruction)) => Cause::hold(&instruction),
            Some((option, text)) => Cause::since(option, &text, option == "-crl_CA_compromise"),
        }
    }

    /// Marks what has ended.
    pub(super) fn update(&self, store: &mut dyn Store, outcome: &mut Outcome) -> Result<()> {
        let told = self.reporting.info.is_some();
        let mut ended = Vec::new();
        let changes = revoke::expire(store, self.now, &mut |row| {
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
