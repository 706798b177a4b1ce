//! `tls::ca -verify`: whether certificates are the authority's and good, by its certificate and its revocation lists.

use openssl::x509::{X509, X509Crl, X509VerifyResult};

use super::Job;
use super::inputs::option_error;
use super::outcome::{Closing, Outcome};
use crate::ca::delta;
use crate::cmd::pki::shown;
use crate::error::{Error, Reason, Result, reasons_text};
use crate::opts::options;
use crate::ossl::chain as ossl_chain;
use crate::ossl::error::{entries, failed};
use crate::tcl::Obj;
use crate::value::{Record, Value};
use crate::x509::chain::{self, Anchors, Checks};
use crate::x509::verify;

options! {
    /// Looking certificates over.
    pub(super) struct Verifying, VERIFYING {
        verify: Flag = "-verify", Both, Command, "3.0", "off",
            "Check that certificates, the further words, are the authority's and good";
        crl_check: Flag = "-crl_check", Both, Command, "3.0", "off",
            "Check by revocation lists as well: those of -crlfile, or crl of the configuration";
        use_deltas: Flag = "-use_deltas", Both, Command, "3.0", "off",
            "Take delta lists among them into account";
        purpose: Text = "-purpose", Both, Command, "3.0", "any",
            "What the certificates must be good for, such as sslserver";
    }
}

/// What was found about a certificate.
struct Found {
    /// The file.
    file: String,
    /// The result.
    result: X509VerifyResult,
    /// How far from the certificate.
    depth: i32,
}

impl Found {
    /// The name of the result, such as `CERT_REVOKED`.
    fn word(&self) -> String {
        verify::name(self.result.as_raw()).into_owned()
    }

    /// The finding for `-info`.
    fn record(&self) -> Record {
        let mut record = Record::new();
        record.put("file", self.file.as_str());
        record.put("result", self.word());
        record.put("depth", i64::from(self.depth));
        record.put("reason", self.result.error_string());
        record
    }
}

impl Job<'_> {
    /// Checks the certificates; the first that isn't good makes an error.
    pub(super) fn verify(&self, verifying: &Verifying<Obj>, outcome: &mut Outcome) -> Result<()> {
        let own = self.certificate()?;
        let lists = match verifying.crl_check {
            Some(()) => self.lists(verifying.use_deltas.is_some())?,
            None => Vec::new(),
        };
        let mut checks = Checks {
            purpose: verifying.purpose.clone(),
            ..Checks::default()
        };
        // The authority is trusted, also where another one has certified it.
        checks.switch_on("-partial_chain");
        if verifying.crl_check.is_some() {
            checks.switch_on("-crl_check");
        }
        if verifying.use_deltas.is_some() {
            checks.switch_on("-use_deltas");
            // Without this the library takes a delta list that is newer than its base for a complete one.
            checks.switch_on("-extended_crl");
        }
        let anchors = Anchors {
            certificates: vec![own],
            lists,
            ..Anchors::default()
        };
        let store = chain::store(&anchors, &checks)
            .map_err(|problem| option_error("-purpose", problem.to_string()))?;
        let usual = ["newcert.pem".to_owned()];
        let files = match self.words.requests.as_slice() {
            [] => &usual,
            files => files,
        };
        let mut found = Vec::new();
        for file in files {
            let password = self.password.option();
            let certificate = self.inputs.certificate("-verify", file, password)?;
            let none = openssl::stack::Stack::<X509>::new()
                .map_err(|stack| failed("can't check certificates", &stack))?;
            let checked = ossl_chain::check(&store, &certificate, &none, &[], c"default");
            let checked = checked.map_err(|stack| {
                let why = reasons_text(&entries(&stack));
                let message = format!("can't check \"{}\": {why}", shown(file));
                Error::failed_with(Reason::CaVerify, [shown(file)], message)
            })?;
            found.push(Found {
                file: shown(file).to_owned(),
                result: checked.result,
                depth: checked.depth,
            });
        }
        let records = found.iter().map(|found| Value::Record(found.record()));
        outcome.info.put("verified", records.collect::<Vec<_>>());
        for Found { file, .. } in &found {
            outcome
                .result
                .extend_from_slice(format!("{file}: OK\n").as_bytes());
        }
        let bad = found
            .iter()
            .filter(|found| found.result != X509VerifyResult::OK);
        let bad: Vec<&Found> = bad.collect();
        let Some(first) = bad.first() else {
            return Ok(());
        };
        Closing::new(self).remember(self.interp, &outcome.info)?;
        let sentence = |found: &&Found| format!("{}: {}", found.file, found.result.error_string());
        let sentences: Vec<String> = bad.iter().map(sentence).collect();
        Err(Error::failed_with(
            Reason::CaVerify,
            [&first.file, &first.word(), &first.depth.to_string()],
            sentences.join("; "),
        ))
    }

    /// The revocation lists of `-crlfile`, or of the configuration.
    fn lists(&self, deltas: bool) -> Result<Vec<X509Crl>> {
        let mut files = self.words.given.texts("-crlfile");
        if files.is_empty() {
            files.push(self.config.required("crl")?);
        }
        let mut lists = Vec::new();
        for file in &files {
            let found = self.inputs.revocation_lists("-crlfile", file)?;
            // Where nobody asked for delta lists, the library would take one for a complete list.
            lists.extend(
                found
                    .into_iter()
                    .filter(|list| deltas || !delta::is_one(list)),
            );
        }
        Ok(lists)
    }
}
