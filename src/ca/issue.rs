//! Issuing: from an applicant, a policy and a profile to a signed certificate and what it changes in the database.
//!
//! A certificate is drafted and signed in `issue/draft.rs`, and shown as `issue/shown.rs` has it; `issue/partial.rs` tells
//! who can have one. Nothing is changed here: the database prepares for what the caller commits.

mod draft;
mod partial;
mod shown;

use std::collections::HashSet;
use std::path::PathBuf;

use openssl::asn1::Asn1Object;
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Name};

use self::draft::Draft;
pub(crate) use self::partial::{Refusal, all_or_none};
use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::conf::Conf;
use crate::value::Record;
use crate::x509::{frame, name, time};

use super::authority::Authority;
use super::config::Config;
use super::copying::Copying;
use super::disk;
use super::index::Edit;
use super::journal::Change;
use super::parallel;
use super::policy::{Field, Rule};
use super::request::{self, Applicant};
use super::revoke::serial_of;
use super::row::{Row, Status};
use super::serial::Serial;
use super::store::Store;
use super::watch::{Nobody, Steps, Watched};

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
    /// The changes that make it so, beside those that the database was told of already.
    pub(crate) changes: Vec<Change>,
    /// A record of each certificate.
    pub(crate) records: Vec<Record>,
}

/// A certificate that is signed.
struct Finished {
    /// The certificate as it is written, PEM with or without text.
    text: Vec<u8>,
    /// Its DER, if that is what the applicant wants.
    der: Option<Vec<u8>>,
    /// Its record in the database.
    row: Row,
    /// Where it goes, if it gets a file.
    path: Option<PathBuf>,
    /// What `-info` says of it.
    record: Record,
}

impl Finished {
    /// What the program would write to its output.
    fn output(&self) -> &[u8] {
        self.der.as_ref().unwrap_or(&self.text)
    }
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
    /// Checks an applicant as far as it goes without the database, and asks for consent. What is wrong with asking is an
    /// error; the refusal of the applicant is a result.
    pub(crate) fn check(
        &self,
        applicant: &Applicant,
        confirm: &mut Confirm<'_>,
    ) -> Result<Result<()>> {
        let draft = self.draft(applicant, &Serial::default());
        match draft.and_then(|draft| self.description(applicant, &draft)) {
            Err(error) => Ok(Err(error)),
            Ok(description) if confirm(&description)? => Ok(Ok(())),
            Ok(_) => Ok(Err(Error::failed_with(
                Reason::CaConfirm,
                [&applicant.source],
                format!("the certificate for \"{}\" was refused", applicant.source),
            ))),
        }
    }

    /// Makes the certificates. Nothing is changed: the database prepares for it, and the caller commits.
    pub(crate) fn issue(
        &self,
        applicants: &[&Applicant],
        store: &mut Watched<'_>,
    ) -> Result<Issued> {
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
        let mut nobody = Nobody;
        let mut numbered = Vec::with_capacity(applicants.len());
        for &applicant in applicants {
            let serial = match &next {
                Some(serial) => serial.clone(),
                None => random_serial()?,
            };
            next = next.map(|serial| serial.next());
            numbered.push((applicant, serial));
        }
        let unwatched = Steps::certificates(&mut nobody, numbered.len());
        let drafts = parallel::map(&numbered, unwatched, |(applicant, serial)| {
            let attempt = self.draft(applicant, serial).and_then(|draft| {
                let row = row(&draft, serial)?;
                Ok((draft, row))
            });
            Ok(attempt)
        })?;
        let drafts = all_or_none(drafts)?;
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
        serials
            .iter()
            .try_for_each(|serial| self.check_unrecorded(serial))?;
        let drafts: Vec<_> = applicants.iter().copied().zip(drafts).collect();
        let (database, watch) = store.parts();
        let signing = Steps::certificates(watch, drafts.len());
        let sign = |(applicant, (draft, row)): &(&Applicant, (Draft, Row))| {
            self.finish(applicant, draft, row)
        };
        // Who signs doesn't wait for the database, which gets each certificate while the next ones are signed.
        parallel::each(&drafts, signing, sign, |one: Finished| {
            issued.output.extend_from_slice(one.output());
            issued.records.push(one.record);
            let serial = one.row.serial.clone();
            database.prepare(vec![
                Change::Record(Edit::Add(one.row)),
                Change::Certificate {
                    serial,
                    path: one.path,
                    bytes: one.text,
                },
            ])
        })?;
        issued.changes.extend(next.map(Change::Serial));
        Ok(issued)
    }

    /// Refuses a serial number under which the authority has issued a certificate that no record knows: who gave it
    /// away died before it was written down, as `openssl ca` may.
    fn check_unrecorded(&self, serial: &Serial) -> Result<()> {
        let Some(folder) = &self.profile.folder else {
            return Ok(());
        };
        let path = folder.join(format!("{serial}.pem"));
        let present = disk::read(&path)?.and_then(|bytes| request::held(&bytes));
        let Some(present) = present else {
            return Ok(());
        };
        let own = present.verify(&self.authority.key).unwrap_or(false);
        ossl::error::queue();
        if !own || serial_of(&present)? != *serial {
            return Ok(());
        }
        let path = path.display();
        let message = format!(
            "the serial number {serial} has been used already, for the certificate in \"{path}\", which has no record"
        );
        let details = ["serial", &serial.to_string()];
        Err(Error::failed_with(Reason::CaDatabase, details, message))
    }

    /// Signs a draft and writes it down.
    fn finish(&self, applicant: &Applicant, draft: &Draft, row: &Row) -> Result<Finished> {
        let serial = &row.serial;
        self.sign(applicant, &draft.certificate)?;
        let folder = self.profile.folder.as_deref();
        let path = folder.map(|folder| folder.join(format!("{serial}.pem")));
        let der = draft.certificate.to_der().map_err(|stack| failed(&stack))?;
        Ok(Finished {
            text: self.text(&der)?,
            record: self.record(applicant, draft, &der, serial, path.as_deref()),
            path,
            der: applicant.wants_der.then_some(der),
            row: row.clone(),
        })
    }
}

/// Refuses a subject that a valid certificate has, or that two of the new ones would have.
fn check_unique(
    applicants: &[&Applicant],
    drafts: &[(Draft, Row)],
    store: &mut dyn Store,
) -> Result<()> {
    let names: Vec<&[u8]> = drafts.iter().map(|(_, row)| row.name.as_slice()).collect();
    // The first of all is told, as if they had come one after the other.
    let first = doubles(&names, store)?.first().copied();
    match first.and_then(|at| Some((applicants.get(at)?, names.get(at)?))) {
        Some((applicant, name)) => Err(not_unique(&applicant.source, name)),
        None => Ok(()),
    }
}

/// The places of those among these subjects that a valid certificate has, or one of them that comes before. An empty one
/// is nobody's.
fn doubles(names: &[&[u8]], store: &mut dyn Store) -> Result<Vec<usize>> {
    let known = store.taken_subjects(names)?;
    let mut seen = HashSet::new();
    let is_double = |at: &usize| {
        let name = names[*at];
        !name.is_empty() && (known.binary_search(at).is_ok() || !seen.insert(name))
    };
    Ok((0..names.len()).filter(is_double).collect())
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
