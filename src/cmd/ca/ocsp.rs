//! `tls::ca -ocsp`: the signed answer to an OCSP request.

use openssl::x509::X509;

use super::Job;
use super::inputs::option_error;
use super::outcome::{Outcome, ready};
use crate::ca::authority::Authority;
use crate::ca::ocsp::{self, Responder};
use crate::ca::store::Purpose;
use crate::cmd::pki::shown;
use crate::error::Result;
use crate::opts::options;
use crate::tcl::Obj;
use crate::x509::pem;

options! {
    /// Answering OCSP requests.
    #[expect(dead_code, reason = "an option is read as words, since it may be repeated")]
    pub(super) struct Answering, ANSWERING {
        ocsp: Flag = "-ocsp", Both, Command, "3.0", "off",
            "Answer the OCSP request of -in, -data or -inchan, or behind the options";
        rsigner: File = "-rsigner", Both, Command, "3.0", "the authority",
            "Certificate of who signs OCSP answers in the authority's stead";
        rkey: File = "-rkey", Both, Command, "3.0", "the value of -rsigner",
            "Private key of -rsigner";
        rother: File = "-rother", Both, Command, "3.0", "none",
            "Certificates to send with OCSP answers beside the signer's";
        rmd: Text = "-rmd", Both, Command, "3.0", "-md, or default_md of the configuration",
            "Digest to sign OCSP answers with";
        rsigopt: Text = "-rsigopt", Both, Command, "3.0", "none",
            "Parameter of the signature of OCSP answers, name:value; may be repeated";
        bare: Flag = "-resp_no_certs", Both, Command, "3.0", "off",
            "Send no certificates with OCSP answers";
        by_key: Flag = "-resp_key_id", Both, Command, "3.0", "off",
            "Name the signer of OCSP answers by the hash of its key, not by its name";
        ndays: Int = "-ndays", Both, Command, "3.0", "none",
            "Days until there will be news at the latest, for OCSP answers";
        nmin: Int = "-nmin", Both, Command, "3.0", "none",
            "Minutes until there will be news at the latest, for OCSP answers";
    }
}

impl Job<'_> {
    /// Answers a request.
    pub(super) fn answer(&self, answering: &Answering<Obj>, outcome: &mut Outcome) -> Result<()> {
        let request = self.question()?;
        let issuer = self.certificate()?;
        let signer = self.signer(answering, &issuer)?;
        let others = match &answering.rother {
            Some(file) => {
                let password = self.password.option();
                self.inputs.certificates("-rother", file, password)?
            }
            None => Vec::new(),
        };
        let responder = Responder {
            issuer: &issuer,
            signer: &signer,
            others: &others,
            bare: answering.bare.is_some(),
            by_key: answering.by_key.is_some(),
            now: self.now,
            next_update: self.news(answering)?,
        };
        let mut store = self.store(Purpose::Look)?;
        let answer = ocsp::answer(&responder, &request, &mut *store)?;
        outcome.put(ready(self.waiting()?, |sink| sink.put(&answer.der))?);
        outcome.info.put("ocsp", answer.record);
        Ok(())
    }

    /// The request: bytes, a channel's, or a file's, where PEM is taken as well.
    fn question(&self) -> Result<Vec<u8>> {
        let operations = &self.operations;
        let files: Vec<&String> = operations
            .input
            .iter()
            .chain(&self.words.requests)
            .collect();
        let bytes = match (&operations.data, &operations.inchan, files.as_slice()) {
            (Some(bytes), None, []) => bytes.clone(),
            (None, Some(name), []) => self.inputs.everything_from("-inchan", name)?,
            (None, None, [file]) => self.inputs.document("-ocsp", file)?,
            (None, None, []) => self.inputs.document("-ocsp", "-")?,
            _ => {
                let message = "only one OCSP request can be answered: by -in, -data or -inchan";
                return Err(option_error("-ocsp", message));
            }
        };
        if !pem::is_pem(&bytes) {
            return Ok(bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let block = pem::blocks(&text).find(|block| block.label == "OCSP REQUEST");
        // What can't be read is malformed, which the answer says.
        Ok(block.and_then(|block| block.der()).unwrap_or_default())
    }

    /// Who signs: the authority, or somebody who has the right from it.
    fn signer(&self, answering: &Answering<Obj>, issuer: &X509) -> Result<Authority> {
        let (certificate, key) = match &answering.rsigner {
            None if answering.rkey.is_some() => {
                return Err(option_error("-rkey", "-rkey needs -rsigner"));
            }
            None => {
                let file = self.or_config(self.place.keyfile.as_ref(), "private_key")?;
                (issuer.clone(), self.key("-keyfile", &file)?)
            }
            Some(file) => {
                let password = self.password.option();
                let certificate = self.inputs.certificate("-rsigner", file, password)?;
                if self.place.force.is_none() {
                    ocsp::check_signer(&certificate, issuer, shown(file), self.now)?;
                }
                let key = answering.rkey.as_ref().unwrap_or(file);
                (certificate, self.key("-rkey", key)?)
            }
        };
        let digest = match answering.rmd.as_ref().or(self.making.md.as_ref()) {
            Some(name) => Some(name.clone()),
            None if Authority::brings_digest(&key) => None,
            None => self.config.value("default_md"),
        };
        let parameters = self.words.given.texts("-rsigopt");
        let properties = self.library.query().map(str::to_owned);
        Authority::new(
            Some(certificate),
            key,
            digest.as_deref(),
            parameters,
            properties,
        )
    }

    /// When there will be news at the latest.
    fn news(&self, answering: &Answering<Obj>) -> Result<Option<i64>> {
        let span = match (answering.ndays, answering.nmin) {
            (None, None) => return Ok(None),
            (days, minutes) => days
                .unwrap_or_default()
                .saturating_mul(86_400)
                .saturating_add(minutes.unwrap_or_default().saturating_mul(60)),
        };
        match span {
            1.. => Ok(Some(self.now.saturating_add(span))),
            _ => {
                let option = match answering.ndays {
                    Some(_) => "-ndays",
                    None => "-nmin",
                };
                Err(option_error(option, format!("{option} must be above zero")))
            }
        }
    }
}
