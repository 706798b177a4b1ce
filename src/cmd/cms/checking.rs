//! Verifying signatures and receipts: whom to trust, and how chains are checked.

use openssl::x509::X509;

use super::addresses::now;
use super::plan::{Finding, Plan, Reading};
use super::table::Operations;
use super::{Job, facts, option_error};
use crate::cmd::verification;
use crate::cms::{book, inspect, verify};
use crate::error::{Error, Reason, Result};
use crate::x509::chain::{Anchors, Checks, store};
use crate::x509::{Problem, load};

impl Job<'_> {
    /// What verification takes.
    fn verify_settings(&self) -> Result<verify::Settings> {
        let checking = &self.checking;
        let weakened = checking.noverify.is_some()
            || checking.no_attr_verify.is_some()
            || checking.nosigs.is_some();
        if self.making.cades.is_some() && weakened {
            let message = "-cades contradicts -noverify, -no_attr_verify and -nosigs";
            return Err(option_error("-cades", message));
        }
        let checks = self.checks()?;
        Ok(verify::Settings {
            format: self.inform()?,
            certificates: self.further_certificates()?,
            revocation: checks.checks_revocation(),
            store: store(&self.anchors()?, &checks).map_err(|problem| self.blame(&problem))?,
            no_intern: checking.nointern.is_some(),
            no_chain: checking.noverify.is_some(),
            no_attributes: checking.no_attr_verify.is_some() || checking.nosigs.is_some(),
            no_content: checking.no_content_verify.is_some() || checking.nosigs.is_some(),
            cades: self.making.cades.is_some(),
            text: self.streams.text.is_some(),
            binary: self.streams.binary.is_some(),
        })
    }

    /// The error for what makes no store of those who are trusted.
    fn blame(&self, problem: &Problem) -> Error {
        match (problem.option(), &self.checking.ca_store) {
            (Some(option @ "-CAstore"), Some(uri)) => {
                Error::failed_with(Reason::CmsRead, [option, uri], problem.to_string())
            }
            (option, _) => option_error(option.unwrap_or("-CAfile"), problem.to_string()),
        }
    }

    /// Whom to trust.
    fn anchors(&self) -> Result<Anchors> {
        let checking = &self.checking;
        let mut anchors = Anchors::default();
        if let Some(file) = &checking.ca_file {
            let bytes = self.inputs.content("-CAfile", file)?;
            let failed = |problem: Problem| {
                Error::failed_with(
                    Reason::CmsRead,
                    ["-CAfile", file.as_str()],
                    format!("can't read \"{file}\": {problem}"),
                )
            };
            // A file of lists alone is fine, and so is one of certificates alone; broken ones aren't.
            let has = |label: &[u8]| bytes.windows(label.len()).any(|place| place == label);
            let has_lists = has(b"-----BEGIN X509 CRL-----");
            if has_lists {
                anchors.lists = load::crls(&bytes).map_err(failed)?;
            }
            if !has_lists || has(b" CERTIFICATE-----") || has(b"BEGIN CERTIFICATE-----") {
                anchors.certificates = load::certificates(&bytes).map_err(failed)?;
            }
        }
        if let Some(folder) = &checking.ca_path {
            self.inputs.check_access("-CApath", folder)?;
            let native = crate::tcl::files::folder(folder).map_err(|error| {
                Error::failed_with(Reason::CmsRead, ["-CApath", folder], error.message())
            })?;
            anchors.folders.push(native.to_string_lossy().into_owned());
        }
        if let Some(uri) = &checking.ca_store {
            self.inputs.check_access("-CAstore", uri)?;
            let uri = std::ffi::CString::new(uri.as_str())
                .map_err(|_| option_error("-CAstore", "a URI can't hold a zero byte"))?;
            anchors.stores.push(uri);
        }
        // As in the program, an own file leaves the default folder trusted, and the other way round.
        anchors.default_file = checking.ca_file.is_none() && checking.no_ca_file.is_none();
        anchors.default_folder = checking.ca_path.is_none() && checking.no_ca_path.is_none();
        anchors.default_store = checking.ca_store.is_none() && checking.no_ca_store.is_none();
        Ok(anchors)
    }

    /// How chains are checked.
    fn checks(&self) -> Result<Checks> {
        verification::checks(&self.words.given, |option, message| {
            option_error(option, message)
        })
    }

    /// `-verify`
    pub(super) fn verify(&self) -> Result<Plan> {
        let settings = self.verify_settings()?;
        let learns = self.checking.smimestore.is_some();
        if learns && (settings.no_chain || settings.no_attributes || settings.no_content) {
            let message = "-smimestore learns from verified messages: all must be checked";
            return Err(option_error("-smimestore", message));
        }
        let tells_status = self.checking.verify_retcode.is_some();
        let prints_requests = self.checking.receipt_request_print.is_some();
        Ok(Plan {
            reading: Reading::again_if(self.is_mail()?),
            checked: true,
            beside: self.content_file(),
            work: Box::new(move |ways| {
                let (report, outcome) =
                    verify::verify(ways.stream, ways.beside, &settings, ways.out)?;
                let facts = facts::signed(&report, &outcome);
                let code = report
                    .signers
                    .iter()
                    .map(|signer| signer.chain_error)
                    .find(|code| *code != 0);
                let failure = outcome.err().map(|error| match code {
                    Some(code) if tells_status => facts::with_status(error, 32 + code),
                    _ => error,
                });
                let signers: Vec<X509> = report
                    .signers
                    .iter()
                    .filter_map(|signer| signer.certificate.clone())
                    .collect();
                let learned = match learns && failure.is_none() {
                    true => book::learn(&report, &settings.store, now()),
                    false => Vec::new(),
                };
                Ok(Finding {
                    learned,
                    facts,
                    failure,
                    text: match prints_requests {
                        true => facts::receipt_requests(&report),
                        false => String::new(),
                    },
                    signers,
                    certificates: report.certificates,
                })
            }),
        })
    }

    /// `-verify_receipt`
    pub(super) fn verify_receipt(&self) -> Result<Plan> {
        let settings = self.verify_settings()?;
        let file = Operations::read(&self.words.given)?.verify_receipt;
        let form = Self::format("-rctform", self.streams.rctform.as_ref())?;
        Ok(Plan {
            reading: Reading::again_if(self.is_mail()?),
            checked: true,
            beside: Some(("-verify_receipt", file.unwrap_or_default())),
            work: Box::new(move |ways| {
                if let Some(receipt) = ways.beside {
                    inspect::verify_receipt(receipt, form, ways.stream, &settings)?;
                }
                Ok(Finding::default())
            }),
        })
    }
}
