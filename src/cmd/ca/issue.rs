//! From requests to certificates: who asks, what certificates become by options and configuration, and where they go.
//!
//! Reads requests and files of extensions, asks the script of `-confirm`, and commits what the domain has made. Until
//! then nothing is changed.

use std::sync::OnceLock;

use openssl::ssl::{SslContext, SslMethod};

use super::Job;
use super::inputs::{above_zero, encoding, moment, option_error, subject};
use super::outcome::{Ground, Outcome, ready};
use crate::ca::authority::Authority;
use crate::ca::config;
use crate::ca::copying::Copying;
use crate::ca::issue::{End, Issuer, Numbering, Profile, Refusal, all_or_none, policy_fields};
use crate::ca::request::{Applicant, Encoding};
use crate::ca::store::Store;
use crate::ca::watch::Watched;
use crate::cmd::pki::shown;
use crate::error::{Error, Reason, Result};
use crate::ossl::conf::Conf;
use crate::tcl::Obj;
use crate::tcl::script::Script;
use crate::value::{Record, Value};

impl Job<'_> {
    /// Whether certificates are to be issued.
    pub(super) fn wants_certificates(&self) -> bool {
        let operations = &self.operations;
        operations.input.is_some()
            || operations.data.is_some()
            || operations.inchan.is_some()
            || operations.ss_cert.is_some()
            || operations.spkac.is_some()
            || operations.infiles.is_some()
            || !self.words.requests.is_empty()
    }

    /// What issuing needs, with everybody's consent if a script is to be asked.
    pub(super) fn issuing(&self, authority: &Authority) -> Result<Issuing> {
        let profile = self.profile(authority.certificate.is_none())?;
        let mut issuing = self.requests(profile)?;
        let prefix = self.reporting.confirm.as_ref();
        if let Some(script) = prefix.and_then(|prefix| Script::new(self.interp, prefix)) {
            issuing.applicants = issuing.applicants()?;
            issuing.files.clear();
            let issuer = Issuer {
                authority,
                config: &self.config,
                profile: &issuing.profile,
                now: self.now,
            };
            let mut agreed = Vec::new();
            for applicant in issuing.applicants {
                match issuer.check(&applicant, &mut |record| confirm(&script, record))? {
                    Ok(()) => agreed.push(applicant),
                    Err(error) => refuse(&mut issuing.refused, &applicant.source, error)?,
                }
            }
            issuing.applicants = agreed;
        }
        Ok(issuing)
    }

    /// Everybody who asks for a certificate.
    fn requests(&self, profile: Profile) -> Result<Issuing> {
        let operations = &self.operations;
        let parameters = self.words.given.texts("-vfyopt");
        let mut applicants = Vec::new();
        if let Some(file) = &operations.spkac {
            let content = self.inputs.document("-spkac", file)?;
            let made = self.with_mask(|| Applicant::spkac(&content, shown(file), self.utf8()));
            let mut applicant = made?;
            applicant.wants_der &= self.output.out.is_some() || self.output.outchan.is_some();
            applicants.push(applicant);
        }
        if let Some(file) = &operations.ss_cert {
            let password = self.password.option();
            let certificate = self.inputs.certificate("-ss_cert", file, password)?;
            let applicant = Applicant::certificate(&certificate, shown(file), &parameters)?;
            applicants.push(applicant);
        }
        let mut files = Vec::new();
        if let Some(bytes) = &operations.data {
            files.push(("-data".to_owned(), bytes.clone()));
        }
        if let Some(name) = &operations.inchan {
            let bytes = self.inputs.everything_from("-inchan", name)?;
            files.push(("-inchan".to_owned(), bytes));
        }
        let mut refused = self.making.partial.is_some().then(Vec::new);
        for file in operations.input.iter().chain(&self.words.requests) {
            match self.inputs.document("-in", file) {
                Ok(bytes) => files.push((file.clone(), bytes)),
                Err(error) => refuse(&mut refused, file, error)?,
            }
        }
        if applicants.is_empty() && files.is_empty() && refused.iter().all(Vec::is_empty) {
            return Err(option_error("-infiles", "-infiles without a request"));
        }
        Ok(Issuing {
            profile,
            applicants,
            files,
            refused,
            proven: operations.proven.is_some(),
            encoding: encoding("-inform", operations.inform.as_deref())?,
            parameters,
        })
    }

    /// Whether names may go beyond Latin-1.
    fn utf8(&self) -> bool {
        self.making.utf8.is_some() || self.config.truth("utf8", false)
    }

    /// What is the same for every certificate.
    fn profile(&self, selfsign: bool) -> Result<Profile> {
        let (making, config) = (&self.making, &self.config);
        let policy = self.or_config(self.place.policy.as_ref(), "policy")?;
        let (section, extension_file) = self.extensions()?;
        Ok(Profile {
            fields: policy_fields(config, &policy)?,
            subject: making
                .subj
                .as_deref()
                .map(|text| self.with_mask(|| subject(text, self.utf8())))
                .transpose()?,
            preserve: making.preserve.is_some() || config.truth_of_ca("preserve"),
            email_in_dn: making.no_email.is_none() && config.truth("email_in_dn", true),
            msie_hack: making.msie_hack.is_some() || config.truth_of_ca("msie_hack"),
            strict: making.strict.is_some(),
            selfsign,
            start: self.start()?,
            end: self.end()?,
            section,
            extension_file,
            copying: self.copying()?,
            numbering: match (
                making.rand_serial.is_some() || config.truth("rand_serial", false),
                making.create_serial.is_some(),
            ) {
                (true, _) => Numbering::Random,
                (false, true) => Numbering::CounterOrStart,
                (false, false) => Numbering::Counter,
            },
            folder: match (&self.connection, &self.reporting.outdir) {
                (Some(_), None) => None,
                _ => Some(self.folder()?),
            },
            text: self.reporting.notext.is_none(),
            iso_dates: self.iso_dates()?,
            shown: self.shown,
            least_bits: least_bits(),
        })
    }

    /// The section of extensions, and the file that it is in.
    fn extensions(&self) -> Result<(Option<String>, Option<Conf>)> {
        let asked = self.making.extensions.clone();
        let Some(file) = &self.making.extfile else {
            let section = asked.or_else(|| self.config.value("x509_extensions"));
            if let Some(section) = &section {
                self.config.section(section)?;
            }
            return Ok((section, None));
        };
        let conf = config::parse(&self.inputs.document("-extfile", file)?, shown(file))?;
        let section = asked.or_else(|| conf.value(None, "extensions"));
        let section = section.unwrap_or_else(|| "default".to_owned());
        if conf.section(&section).is_none() {
            let message = format!("\"{}\" has no section \"{section}\"", shown(file));
            return Err(Error::failed_with(
                Reason::CaRead,
                [shown(file), &section],
                message,
            ));
        }
        Ok((Some(section), Some(conf)))
    }

    /// When certificates begin.
    fn start(&self) -> Result<Option<i64>> {
        let (given, what) = match &self.making.startdate {
            Some(text) => (Some(text.clone()), "-startdate"),
            None => (self.config.value("default_startdate"), "default_startdate"),
        };
        match given.as_deref() {
            None | Some("today") => Ok(None),
            Some(text) => moment(what, text).map(Some),
        }
    }

    /// When certificates end.
    fn end(&self) -> Result<End> {
        let days = |days: i64| above_zero("-days", Some(days)).map(|()| End::Days(days));
        above_zero("-days", self.making.days)?;
        if let Some(text) = &self.making.enddate {
            return moment("-enddate", text).map(End::At);
        }
        if let Some(text) = self.config.value("default_enddate") {
            return moment("default_enddate", &text).map(End::At);
        }
        if let Some(number) = self.making.days {
            return days(number);
        }
        match self.config.number("default_days")? {
            Some(number) => days(number),
            None => Err(option_error(
                "-days",
                "no end: there is none of -days, -enddate, default_days and default_enddate",
            )),
        }
    }

    /// What becomes of requested extensions.
    fn copying(&self) -> Result<Copying> {
        let word = self.config.value("copy_extensions").unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "" | "none" => Ok(Copying::None),
            "copy" => Ok(Copying::Missing),
            "copyall" => Ok(Copying::All),
            _ => Err(self.config.bad(
                "copy_extensions",
                &format!("\"{word}\" must be none, copy, or copyall"),
            )),
        }
    }

    /// Whether dates are shown as ISO 8601 has them.
    fn iso_dates(&self) -> Result<bool> {
        match self.reporting.dateopt.as_deref() {
            None | Some("rfc_822") => Ok(false),
            Some("iso_8601") => Ok(true),
            Some(word) => Err(option_error(
                "-dateopt",
                format!("bad date form \"{word}\": must be iso_8601 or rfc_822"),
            )),
        }
    }
}

/// What issuing needs.
pub(super) struct Issuing {
    /// What is the same for every certificate.
    pub(super) profile: Profile,
    /// Who asks for one, as far as that was read already.
    applicants: Vec<Applicant>,
    /// Requests that weren't read yet, with their names.
    files: Vec<(String, Vec<u8>)>,
    /// What was refused already, where that keeps nobody else from a certificate.
    pub(super) refused: Option<Vec<Refusal>>,
    /// Whether applicants have their keys, whatever their signatures say.
    proven: bool,
    /// How requests are encoded, if that was told.
    encoding: Option<Encoding>,
    /// Parameters of their signatures.
    parameters: Vec<String>,
}

impl Issuing {
    /// Everybody who asks for a certificate.
    pub(super) fn applicants(&mut self) -> Result<Vec<Applicant>> {
        let mut applicants = std::mem::take(&mut self.applicants);
        let (files, parameters) = (&self.files, &self.parameters);
        let read = Applicant::requests(files, self.proven, self.encoding, parameters)?;
        let Some(refused) = &mut self.refused else {
            applicants.extend(all_or_none(read)?);
            return Ok(applicants);
        };
        for ((source, _), outcome) in files.iter().zip(read) {
            match outcome {
                Ok(applicant) => applicants.push(applicant),
                Err(error) => refused.push(Refusal::new(source, error)),
            }
        }
        Ok(applicants)
    }
}

/// Notes a refusal; where it isn't to be noted, it is the error of the whole.
fn refuse(refused: &mut Option<Vec<Refusal>>, source: &str, error: Error) -> Result<()> {
    let refused = refused.as_mut().ok_or_else(|| error.clone())?;
    refused.push(Refusal::new(source, error));
    Ok(())
}

/// Asks the script of `-confirm`.
fn confirm(script: &Script, record: &Record) -> Result<bool> {
    let answer = script
        .call(&[Obj::from(record)])
        .unwrap_or_else(|| Err(Error::failed(Reason::CaConfirm, "the interpreter is gone")))?;
    answer.as_bool().ok_or_else(|| {
        let message = format!(
            "-confirm returned \"{}\", which is no boolean",
            answer.as_text()
        );
        Error::failed(Reason::CaConfirm, message)
    })
}

/// Issues certificates. Where something may be refused, it comes with what was refused already.
pub(super) fn issue(
    issuer: &Issuer<'_>,
    applicants: &[Applicant],
    before: Option<&[Refusal]>,
    store: &mut Watched<'_>,
    ground: &mut dyn Ground,
    outcome: &mut Outcome,
) -> Result<()> {
    let (applicants, refused) = match before {
        None => (applicants.iter().collect(), None),
        Some(before) => {
            let (fine, more) = issuer.sieve(applicants, store)?;
            (fine, Some([before, &more].concat()))
        }
    };
    if applicants.is_empty()
        && let Some(error) = refused.as_deref().and_then(Refusal::nobody_left)
    {
        return Err(error);
    }
    let issued = issuer.issue(&applicants, store)?;
    let out = ready(ground.output()?, |sink| sink.put(&issued.output))?;
    store.commit(issued.changes)?;
    outcome.put(out);
    let records = issued
        .records
        .into_iter()
        .map(Value::Record)
        .collect::<Vec<_>>();
    outcome.step(format!("issued {} certificates", applicants.len()));
    outcome.info.put("issued", records);
    if let Some(refused) = refused {
        outcome.step(format!("refused {} requests", refused.len()));
        let records = refused.iter().map(refusal).collect::<Vec<_>>();
        outcome.info.put("refused", records);
    }
    Ok(())
}

/// What is told of a refused request.
fn refusal(refusal: &Refusal) -> Value {
    let mut record = Record::new();
    record.put("source", refusal.source.as_str());
    record.put("error", refusal.error.message());
    record.put("errorCode", refusal.error.code());
    Value::Record(record)
}

/// How many bits of security OpenSSL wants by its default security level.
fn least_bits() -> u32 {
    /// The bits of the levels 0 to 5.
    const BITS: [u32; 6] = [0, 80, 112, 128, 192, 256];
    static LEAST: OnceLock<u32> = OnceLock::new();
    *LEAST.get_or_init(|| {
        let context = SslContext::builder(SslMethod::tls());
        let level = context.map_or(1, |context| context.build().security_level());
        BITS.get(usize::try_from(level).unwrap_or_default())
            .copied()
            .unwrap_or(256)
    })
}
