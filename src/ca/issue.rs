//! Issuing: from an applicant, a policy and a profile to a signed certificate and what it changes in the database.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Name, X509NameRef};

use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::conf::Conf;
use crate::ossl::x509_draft;
use crate::ossl::x509v3::Context;
use crate::value::Record;
use crate::x509::{der, describe, frame, name, oid, time};

use super::authority::{Authority, unsigned};
use super::config::Config;
use super::copying::{self, Asked, Copying};
use super::index::Edit;
use super::journal::Change;
use super::parallel;
use super::policy::{self, Attribute, Field, Rule, Violation};
use super::request::{Applicant, same_key};
use super::row::{Row, Status};
use super::serial::Serial;
use super::store::Store;

/// Where serial numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// From the database's counter.
    Counter,
    /// From there, or from a random start if the counter can't be read.
    CounterOrStart,
    /// By chance, each one.
    Random,
}

/// What is the same for every certificate of a call.
pub(crate) struct Profile {
    /// The policy.
    pub(crate) fields: Vec<Field>,
    /// The subject in the stead of the request's.
    pub(crate) subject: Option<X509Name>,
    /// Whether the subject keeps the request's order, and the fields that the policy doesn't speak of.
    pub(crate) preserve: bool,
    /// Whether the subject may have an email address.
    pub(crate) email_in_dn: bool,
    /// Whether strange string types are mended.
    pub(crate) msie_hack: bool,
    /// Whether a field that would be dropped is an error.
    pub(crate) strict: bool,
    /// Whether each certificate is signed by its own key.
    pub(crate) selfsign: bool,
    /// When certificates begin; `None` is now.
    pub(crate) start: Option<i64>,
    /// When they end.
    pub(crate) end: End,
    /// The section of extensions.
    pub(crate) section: Option<String>,
    /// The file that the section is in, unless it is the configuration.
    pub(crate) extension_file: Option<Conf>,
    /// What becomes of requested extensions.
    pub(crate) copying: Copying,
    /// Where serial numbers come from.
    pub(crate) numbering: Numbering,
    /// The folder that gets a copy of every certificate, if there is one.
    pub(crate) folder: Option<PathBuf>,
    /// Whether the text form goes before the PEM form.
    pub(crate) text: bool,
    /// How dates are shown.
    pub(crate) iso_dates: bool,
    /// How certificates are shown before they are signed: bits for names and for certificates.
    pub(crate) shown: (u64, u64),
    /// How many bits of security a key must have.
    pub(crate) least_bits: u32,
}

/// When certificates end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At a time.
    At(i64),
    /// So many days after their start.
    Days(i64),
}

/// Asks the caller whether to sign what a record describes.
pub(crate) type Confirm<'a> = dyn FnMut(&Record) -> Result<bool> + 'a;

/// What issuing gives.
pub(crate) struct Issued {
    /// What the program would write to its output.
    pub(crate) output: Vec<u8>,
    /// The changes that make it so.
    pub(crate) changes: Vec<Change>,
    /// A record of each certificate.
    pub(crate) records: Vec<Record>,
}

/// A certificate that isn't signed yet.
struct Draft {
    /// The certificate.
    certificate: X509,
    /// Fields of the request that the policy drops, `type=value`.
    dropped: Vec<String>,
    /// Extensions that the request asks for.
    asked: Vec<Asked>,
    /// What the caller should know.
    warnings: Vec<String>,
    /// When it ends.
    end: i64,
}

/// A certificate that is signed.
struct Finished {
    /// The certificate as it is written, PEM with or without text.
    text: Vec<u8>,
    /// Its DER.
    der: Vec<u8>,
    /// Where it goes, if it gets a file.
    path: Option<PathBuf>,
    /// What `-info` says of it.
    record: Record,
}

/// Everything that issuing works with.
pub(crate) struct Issuer<'a> {
    /// The authority.
    pub(crate) authority: &'a Authority,
    /// The configuration.
    pub(crate) config: &'a Config,
    /// The profile.
    pub(crate) profile: &'a Profile,
    /// Now.
    pub(crate) now: i64,
}

impl Issuer<'_> {
    /// Checks every applicant as far as it goes without the database, and asks for consent.
    pub(crate) fn check(
        &self,
        applicants: &[Applicant],
        confirm: Option<&mut Confirm<'_>>,
    ) -> Result<()> {
        let Some(confirm) = confirm else {
            return Ok(());
        };
        for applicant in applicants {
            let draft = self.draft(applicant, &Serial::default())?;
            if !confirm(&self.description(applicant, &draft)?)? {
                return Err(Error::failed_with(
                    Reason::CaConfirm,
                    [&applicant.source],
                    format!("the certificate for \"{}\" was refused", applicant.source),
                ));
            }
        }
        Ok(())
    }

    /// Makes the certificates. Nothing is changed: the caller commits the changes.
    pub(crate) fn issue(&self, applicants: &[Applicant], store: &mut dyn Store) -> Result<Issued> {
        let unique = store.unique_subject()?;
        let mut issued = Issued {
            output: Vec::new(),
            changes: Vec::new(),
            records: Vec::new(),
        };
        let mut next = match self.profile.numbering {
            Numbering::Random => None,
            Numbering::Counter => Some(store.serial()?),
            Numbering::CounterOrStart => Some(store.serial().or_else(|_| random_serial())?),
        };
        let mut numbered = Vec::with_capacity(applicants.len());
        for applicant in applicants {
            let serial = match &next {
                Some(serial) => serial.clone(),
                None => random_serial()?,
            };
            next = next.map(|serial| serial.next());
            numbered.push((applicant, serial));
        }
        let drafts = parallel::map(&numbered, |(applicant, serial)| {
            let draft = self.draft(applicant, serial)?;
            let row = row(&draft, serial)?;
            Ok((draft, row))
        })?;
        // The database is asked about all at once, which is what makes one on another machine fast.
        if unique {
            check_unique(applicants, &drafts, store)?;
        }
        let serials: Vec<Serial> = drafts.iter().map(|(_, row)| row.serial.clone()).collect();
        if let Some(serial) = store.taken(&serials)? {
            return Err(Error::failed_with(
                Reason::CaDatabase,
                ["serial", &serial.to_string()],
                format!("the serial number {serial} has been used already: check the serial file"),
            ));
        }
        let drafts: Vec<_> = applicants.iter().zip(drafts).collect();
        let finished = parallel::map(&drafts, |(applicant, (draft, row))| {
            self.finish(applicant, draft, &row.serial)
        })?;
        for ((applicant, (_, row)), one) in drafts.into_iter().zip(finished) {
            match applicant.wants_der {
                true => issued.output.extend_from_slice(&one.der),
                false => issued.output.extend_from_slice(&one.text),
            }
            issued.records.push(one.record);
            let serial = row.serial.clone();
            issued.changes.push(Change::Record(Edit::Add(row)));
            issued.changes.push(Change::Certificate {
                serial,
                path: one.path,
                bytes: one.text,
            });
        }
        issued.changes.extend(next.map(Change::Serial));
        Ok(issued)
    }

    /// Signs a draft and writes it down.
    fn finish(&self, applicant: &Applicant, draft: &Draft, serial: &Serial) -> Result<Finished> {
        self.sign(applicant, &draft.certificate)?;
        let folder = self.profile.folder.as_deref();
        let path = folder.map(|folder| folder.join(format!("{serial}.pem")));
        let der = draft.certificate.to_der().map_err(|stack| failed(&stack))?;
        Ok(Finished {
            text: self.text(&draft.certificate, &der)?,
            record: self.record(applicant, draft, &der, serial, path.as_deref()),
            path,
            der,
        })
    }

    /// A certificate up to its signature.
    fn draft(&self, applicant: &Applicant, serial: &Serial) -> Result<Draft> {
        let profile = self.profile;
        self.check_key(applicant)?;
        let given = profile
            .subject
            .as_deref()
            .unwrap_or_else(|| applicant.request.subject_name());
        let mut given = attributes(given)?;
        if profile.msie_hack {
            policy::mend_strings(&mut given);
        }
        let shown = |oid: &[u8]| oid::short_name(&frame::oid(oid));
        policy::check_strings(&given, !profile.email_in_dn, &shown).map_err(|why| refused(&why))?;
        let own_name = match (&self.authority.certificate, profile.selfsign) {
            (Some(certificate), false) => attributes(certificate.subject_name())?,
            _ => given.clone(),
        };
        let verdict =
            policy::apply(&profile.fields, &given, &own_name).map_err(|why| refused(&why))?;
        let shown = |attribute: &Attribute| {
            format!(
                "{}={}",
                shown(&attribute.oid),
                der::visible(&attribute.value)
            )
        };
        let (subject, dropped) = match profile.preserve {
            true => (given, Vec::new()),
            false => (
                verdict.kept,
                verdict.dropped.iter().map(shown).collect::<Vec<_>>(),
            ),
        };
        if profile.strict && !dropped.is_empty() {
            return Err(refused(&Violation {
                field: dropped[0].split('=').next().unwrap_or_default().to_owned(),
                wanted: "listed",
                message: format!(
                    "the policy doesn't speak of these fields of the request: {}",
                    dropped.join(", ")
                ),
            }));
        }
        let (start, end, mut warnings) = self.validity()?;
        let subject_name = name_of(&subject)?;
        let certificate = self.frame(applicant, &subject_name, serial, (start, end))?;
        self.add_extensions(&certificate, applicant)?;
        let asked = copying::copy(&certificate, applicant, profile.copying, &mut warnings)?;
        if !profile.email_in_dn {
            let without: Vec<Attribute> = subject
                .into_iter()
                .filter(|attribute| attribute.oid != policy::EMAIL)
                .collect();
            x509_draft::set_subject(&certificate, &*name_of(&without)?)
                .map_err(|stack| failed(&stack))?;
        }
        Ok(Draft {
            certificate,
            dropped,
            asked,
            warnings,
            end,
        })
    }

    /// Checks the applicant's key.
    fn check_key(&self, applicant: &Applicant) -> Result<()> {
        let source = &applicant.source;
        if self.profile.selfsign && !same_key(&applicant.key, &self.authority.key) {
            return Err(Error::failed_with(
                Reason::CaVerify,
                [source],
                format!("\"{source}\" isn't signed by the key that is to sign it"),
            ));
        }
        let bits = applicant.key.security_bits();
        if bits < self.profile.least_bits {
            return Err(Error::failed_with(
                Reason::CaPolicy,
                ["key", &bits.to_string()],
                format!(
                    "the key of \"{source}\" is too weak: {bits} bits of security, {} are wanted",
                    self.profile.least_bits
                ),
            ));
        }
        Ok(())
    }

    /// When the certificate begins and ends, and what there is to say about that.
    fn validity(&self) -> Result<(i64, i64, Vec<String>)> {
        let wrong =
            |option: &str, why: String| Err(Error::failed_with(Reason::CaOption, [option], why));
        let start = self.profile.start.unwrap_or(self.now);
        let (mut end, fixed) = match self.profile.end {
            End::At(end) => (end, true),
            End::Days(days) => (start.saturating_add(days.saturating_mul(86_400)), false),
        };
        if end <= start {
            return wrong(
                "-enddate",
                format!(
                    "the certificate would end before it begins: {}",
                    time::text(end)
                ),
            );
        }
        if end <= self.now {
            return wrong(
                "-enddate",
                format!(
                    "the certificate would have ended already: {}",
                    time::text(end)
                ),
            );
        }
        let mut warnings = Vec::new();
        if let (Some(certificate), false) = (&self.authority.certificate, self.profile.selfsign) {
            let (_, own_end) = validity_of(certificate)?;
            if own_end <= self.now {
                return Err(Error::failed(
                    Reason::CaVerify,
                    format!(
                        "the authority's certificate has ended: {}",
                        time::text(own_end)
                    ),
                ));
            }
            if end > own_end && start >= own_end {
                return wrong(
                    "-startdate",
                    "the certificate would begin after the authority's has ended".to_owned(),
                );
            }
            if end > own_end && fixed {
                return wrong(
                    "-enddate",
                    format!(
                        "the certificate would outlive the authority's, which ends {}",
                        time::text(own_end)
                    ),
                );
            }
            if end > own_end {
                warnings.push(
                    "the certificate ends with the authority's, which is earlier than asked"
                        .to_owned(),
                );
                end = own_end;
            }
        }
        Ok((start, end, warnings))
    }

    /// The certificate without its extensions.
    fn frame(
        &self,
        applicant: &Applicant,
        subject: &X509NameRef,
        serial: &Serial,
        (start, end): (i64, i64),
    ) -> Result<X509> {
        let number =
            BigNum::from_slice(serial.magnitude()).and_then(|number| Asn1Integer::from_bn(&number));
        let issuer = match (&self.authority.certificate, self.profile.selfsign) {
            (Some(certificate), false) => certificate.subject_name(),
            _ => subject,
        };
        let made = number.and_then(|number| {
            let mut builder = X509::builder()?;
            builder.set_version(0)?;
            builder.set_serial_number(&number)?;
            builder.set_issuer_name(issuer)?;
            builder.set_not_before(&*asn1_time(start)?)?;
            builder.set_not_after(&*asn1_time(end)?)?;
            builder.set_subject_name(subject)?;
            if self.signs_itself(applicant) {
                builder.set_pubkey(&applicant.key)?;
                return Ok(builder.build());
            }
            let certificate = builder.build();
            x509_draft::copy_key(&applicant.request, &certificate)?;
            Ok(certificate)
        });
        made.map_err(|stack| failed(&stack))
    }

    /// Whether the applicant's key is the authority's.
    fn signs_itself(&self, applicant: &Applicant) -> bool {
        same_key(&applicant.key, &self.authority.key)
    }

    /// Who signs: the authority, or the certificate itself.
    fn issuer_of<'b>(&'b self, certificate: &'b X509) -> &'b X509 {
        match (&self.authority.certificate, self.profile.selfsign) {
            (Some(issuer), false) => issuer,
            _ => certificate,
        }
    }

    /// Adds the extensions of the profile.
    fn add_extensions(&self, certificate: &X509, applicant: &Applicant) -> Result<()> {
        let Some(section) = &self.profile.section else {
            return Ok(());
        };
        let conf = match &self.profile.extension_file {
            Some(conf) => conf,
            None => self.config.conf(),
        };
        let parties = Context {
            issuer: Some(self.issuer_of(certificate)),
            subject: Some(certificate),
            request: Some(&applicant.request),
            ..Context::default()
        };
        x509_draft::add_to_certificate(conf, section, parties, certificate)
            .map_err(|entries| bad_section(section, &entries))
    }

    /// Adds the key identifiers that a version 3 certificate should have, and signs.
    fn sign(&self, applicant: &Applicant, certificate: &X509) -> Result<()> {
        let own_key = self.signs_itself(applicant);
        if x509_draft::count(certificate) > 0 || always_version_3() {
            x509_draft::set_version(certificate, 2).map_err(|stack| failed(&stack))?;
            self.adapt_key_id(certificate, "subjectKeyIdentifier", "hash", true)?;
            self.adapt_key_id(
                certificate,
                "authorityKeyIdentifier",
                "keyid, issuer",
                !own_key,
            )?;
        }
        let signed = self.authority.signer().certificate(certificate);
        signed.map_err(|refused| unsigned("certificate", &refused))
    }

    /// Adds a key identifier if there is none and `add` says so; takes away one that says "none".
    fn adapt_key_id(&self, certificate: &X509, kind: &str, value: &str, add: bool) -> Result<()> {
        let object = Asn1Object::from_str(kind).map_err(|stack| failed(&stack))?;
        if let Some(place) = x509_draft::find(certificate, &object) {
            // An empty SEQUENCE or OCTET STRING stands for "none".
            if x509_draft::value_at(certificate, place).len() <= 2 {
                x509_draft::remove(certificate, place);
            }
            return Ok(());
        }
        if !add {
            return Ok(());
        }
        let parties = Context {
            issuer: Some(self.issuer_of(certificate)),
            subject: Some(certificate),
            issuer_key: Some(&self.authority.key),
            ..Context::default()
        };
        let made = x509_draft::extension(kind, value, parties)
            .map_err(|entries| Error::failed(Reason::CaCreate, reasons_text(&entries)))?;
        x509_draft::append(certificate, &made).map_err(|stack| failed(&stack))
    }

    /// The certificate as it is written: text, if wanted, and PEM.
    fn text(&self, certificate: &X509, der: &[u8]) -> Result<Vec<u8>> {
        let mut text = match self.profile.text {
            true => {
                // A draft doesn't have its key in the form that is printed.
                let certificate = X509::from_der(der).map_err(|stack| failed(&stack))?;
                ossl::print::certificate(&certificate, 0, 0)
                    .ok_or_else(|| failed(&ErrorStack::get()))?
            }
            false => Vec::new(),
        };
        text.extend(certificate.to_pem().map_err(|stack| failed(&stack))?);
        Ok(text)
    }

    /// What `-info` says of a certificate.
    fn record(
        &self,
        applicant: &Applicant,
        draft: &Draft,
        der: &[u8],
        serial: &Serial,
        path: Option<&Path>,
    ) -> Record {
        let mut record = Record::new();
        record.put("serial", serial.to_string());
        record.put("subject", name::oneline(draft.certificate.subject_name()));
        record.put("notAfter", self.date(draft.end));
        record.put("source", applicant.source.as_str());
        if let Some(path) = path {
            record.put("file", path.display().to_string());
        }
        record.put("certificate", der.to_vec());
        put_findings(&mut record, draft);
        record
    }

    /// What `-confirm` is told.
    fn description(&self, applicant: &Applicant, draft: &Draft) -> Result<Record> {
        // A throw-away key signs, so that the certificate can be taken apart like any other.
        let certificate = draft.certificate.clone();
        let key = openssl::pkey::PKey::generate_ed25519().map_err(|stack| failed(&stack))?;
        let signer = ossl::sign::Signer {
            key: &key,
            digest: None,
            options: &[],
            properties: None,
        };
        if x509_draft::count(&certificate) > 0 {
            x509_draft::set_version(&certificate, 2).map_err(|stack| failed(&stack))?;
        }
        signer
            .certificate(&certificate)
            .map_err(|refused| unsigned("certificate", &refused))?;
        let certificate = certificate.to_der().and_then(|der| X509::from_der(&der));
        let certificate = certificate.map_err(|stack| failed(&stack))?;
        let mut record = Record::new();
        record.put("operation", "issue");
        record.put("source", applicant.source.as_str());
        put_findings(&mut record, draft);
        let asked = draft.asked.iter().map(Asked::record);
        record.put("asked", asked.collect::<Vec<_>>());
        if applicant.signed {
            record.put("request", describe::request(&applicant.request));
        }
        let mut shown = Record::new();
        for (key, value) in describe::summary(&certificate).iter() {
            if !OF_SIGNATURE.contains(&key) {
                shown.put(key, value.clone());
            }
        }
        record.put("certificate", shown);
        let (names, parts) = self.profile.shown;
        let text = ossl::print::certificate(&certificate, names, parts | ossl::print::UNSIGNED);
        let text = text.ok_or_else(|| failed(&ErrorStack::get()))?;
        record.put("text", String::from_utf8_lossy(&text).into_owned());
        Ok(record)
    }

    /// A date as `-dateopt` wants it.
    fn date(&self, seconds: i64) -> String {
        match self.profile.iso_dates {
            true => time::iso_8601(seconds),
            false => time::text(seconds),
        }
    }
}

/// Whether a certificate without extensions becomes one of version 3 as well: the program of OpenSSL 3.2 and later gives
/// key identifiers to every certificate.
fn always_version_3() -> bool {
    openssl::version::number() >= 0x3020_0000
}

/// What a description says of the signature and the serial number, which a draft doesn't have.
const OF_SIGNATURE: &[&str] = &[
    "signatureAlgorithm",
    "signature_algorithm",
    "signatureValue",
    "signature",
    "signingDigest",
    "signatureDigest",
    "digest",
    "signatureHash",
    "serialNumber",
    "serial",
    "sha1_hash",
    "sha256_hash",
    "certificate",
];

/// What was found out about a draft.
fn put_findings(record: &mut Record, draft: &Draft) {
    record.put("dropped", draft.dropped.clone());
    let copied = draft.asked.iter().filter(|asked| asked.is_copied());
    let copied = copied.map(|asked| asked.kind().to_owned());
    record.put("copied", copied.collect::<Vec<_>>());
    record.put("warnings", draft.warnings.clone());
}

/// Refuses a subject that a valid certificate has, or that two of the new ones would have.
fn check_unique(
    applicants: &[Applicant],
    drafts: &[(Draft, Row)],
    store: &mut dyn Store,
) -> Result<()> {
    let names: Vec<&[u8]> = drafts.iter().map(|(_, row)| row.name.as_slice()).collect();
    let mut seen = HashSet::new();
    let twice = names.iter().position(|name| !seen.insert(*name));
    let known = store.first_valid(&names)?;
    // The first of all is told, as if they had come one after the other.
    let first = twice.into_iter().chain(known).min();
    match first.and_then(|at| Some((applicants.get(at)?, names.get(at)?))) {
        Some((applicant, name)) => Err(not_unique(&applicant.source, name)),
        None => Ok(()),
    }
}

/// The database's record of a certificate.
fn row(draft: &Draft, serial: &Serial) -> Result<Row> {
    let name = name::oneline(draft.certificate.subject_name());
    Ok(Row {
        status: Status::Valid,
        expiry: time::asn1(draft.end).map_err(|problem| {
            Error::failed_with(Reason::CaOption, ["-enddate"], problem.to_string())
        })?,
        revocation: String::new(),
        serial: serial.clone(),
        file: b"unknown".to_vec(),
        name: match name.is_empty() {
            true => serial.to_string().into_bytes(),
            false => name.into_bytes(),
        },
    })
}

/// When a certificate begins and ends.
pub(crate) fn validity_of(certificate: &X509) -> Result<(i64, i64)> {
    let der = certificate.to_der().map_err(|stack| failed(&stack))?;
    let frame = frame::certificate(&der);
    let times = frame.and_then(|frame| {
        Some((
            time::seconds(frame.not_before?)?,
            time::seconds(frame.not_after?)?,
        ))
    });
    times.ok_or_else(|| Error::failed(Reason::CaRead, "a certificate without a readable validity"))
}

/// Reads a policy from its section.
pub(crate) fn policy_fields(config: &Config, section: &str) -> Result<Vec<Field>> {
    let wrong = |name: &str, why: String| {
        Error::failed_with(Reason::CaRead, [config.file(), section, name], why)
    };
    let field = |(name, word): (String, String)| {
        let object = Asn1Object::from_str(&name).map_err(|_| {
            wrong(
                &name,
                format!("unknown field \"{name}\" in the policy \"{section}\""),
            )
        })?;
        let rule = Rule::parse(&word).ok_or_else(|| {
            wrong(&name, format!("bad rule \"{word}\" for {name} in the policy \"{section}\": must be match, optional, or supplied"))
        })?;
        Ok(Field {
            oid: object.as_slice().to_vec(),
            name,
            rule,
        })
    };
    config.section(section)?.into_iter().map(field).collect()
}

/// The error for a section of extensions that OpenSSL refuses.
pub(crate) fn bad_section(section: &str, entries: &[OpenSslEntry]) -> Error {
    let why = reasons_text(entries);
    Error::failed_with(
        Reason::CaRead,
        [section],
        format!("can't use the extensions in section \"{section}\": {why}"),
    )
}

/// A random serial number of 159 bits.
pub(crate) fn random_serial() -> Result<Serial> {
    let mut bytes = [0; 20];
    openssl::rand::rand_bytes(&mut bytes).map_err(|stack| failed(&stack))?;
    bytes[0] &= 0x7f;
    Ok(Serial::from_magnitude(&bytes, false))
}

/// The attributes of a name.
fn attributes(name: &X509NameRef) -> Result<Vec<Attribute>> {
    let der = name.to_der().map_err(|stack| failed(&stack))?;
    policy::attributes(&der)
        .ok_or_else(|| Error::failed(Reason::CaRead, "a name that can't be read"))
}

/// The name of these attributes.
fn name_of(attributes: &[Attribute]) -> Result<X509Name> {
    X509Name::from_der(&policy::name(attributes)).map_err(|stack| failed(&stack))
}

/// A time as OpenSSL has it.
fn asn1_time(seconds: i64) -> std::result::Result<Asn1Time, ErrorStack> {
    match time::asn1(seconds) {
        Ok(text) => Asn1Time::from_str(&text),
        Err(_) => Err(ErrorStack::get()),
    }
}

/// The error for a refusal of the policy.
fn refused(why: &Violation) -> Error {
    Error::failed_with(
        Reason::CaPolicy,
        [&why.field, why.wanted],
        why.message.clone(),
    )
}

/// The error for a subject that a valid certificate has.
fn not_unique(source: &str, name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name).into_owned();
    Error::failed_with(
        Reason::CaDatabase,
        ["unique_subject", &name],
        format!("there is a valid certificate for the subject {name} of \"{source}\" already"),
    )
}

/// The error for a failure of OpenSSL that no input explains.
fn failed(stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    Error::failed(
        Reason::CaCreate,
        format!("can't make the certificate: {why}"),
    )
}
