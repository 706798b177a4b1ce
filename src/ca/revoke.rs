//! Changes of single records: revoking, entering a foreign certificate, expiry; and what a record says.

use openssl::x509::X509;

use crate::error::{Error, Reason, Result};
use crate::value::Record;
use crate::x509::{name, time};

use super::index::Edit;
use super::issue::validity_of;
use super::journal::Change;
use super::row::{Row, Status};
use super::serial::Serial;
use super::store::Store;

/// The reasons of RFC 5280 with their numbers, as the index spells them.
const REASONS: &[(&str, u8)] = &[
    ("unspecified", 0),
    ("keyCompromise", 1),
    ("CACompromise", 2),
    ("affiliationChanged", 3),
    ("superseded", 4),
    ("cessationOfOperation", 5),
    ("certificateHold", 6),
    ("removeFromCRL", 8),
    ("privilegeWithdrawn", 9),
    ("AACompromise", 10),
];

/// Why a certificate is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing is said.
    None,
    /// A reason, as the index spells it.
    Reason(&'static str),
    /// A hold, with what is to be done.
    Hold(String),
    /// The key is compromised since a time.
    KeySince(String),
    /// The authority's key is compromised since a time.
    AuthoritySince(String),
}

impl Cause {
    /// The reason of a word, in any case.
    pub(crate) fn reason(word: &str) -> Result<Self> {
        let known = REASONS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        known.map(|(name, _)| Self::Reason(name)).ok_or_else(|| {
            let names: Vec<&str> = REASONS.iter().map(|(name, _)| *name).collect();
            Error::failed_with(
                Reason::CaOption,
                ["-crl_reason", word],
                format!(
                    "bad reason \"{word}\": must be {}",
                    crate::opts::alternatives(&names)
                ),
            )
        })
    }

    /// A hold with an instruction, an object identifier by name or number.
    pub(crate) fn hold(instruction: &str) -> Result<Self> {
        let known = !instruction.contains(['\0', ',', '\t', '\n'])
            && openssl::asn1::Asn1Object::from_str(instruction).is_ok();
        match known {
            true => Ok(Self::Hold(instruction.to_owned())),
            false => Err(Error::failed_with(
                Reason::CaOption,
                ["-crl_hold", instruction],
                format!("bad hold instruction \"{instruction}\": must be an object identifier"),
            )),
        }
    }

    /// A compromise of the key, or the authority's, since a time.
    pub(crate) fn since(option: &str, text: &str, authority: bool) -> Result<Self> {
        let well = text.len() == 15 && time::parse(text).is_ok();
        match (well, authority) {
            (true, false) => Ok(Self::KeySince(text.to_owned())),
            (true, true) => Ok(Self::AuthoritySince(text.to_owned())),
            (false, _) => Err(Error::failed_with(
                Reason::CaOption,
                [option, text],
                format!("bad time \"{text}\" for {option}: must look like YYYYMMDDHHMMSSZ"),
            )),
        }
    }

    /// The field of the index, for a revocation at `now`.
    fn field(&self, now: i64) -> Result<String> {
        let date = time::asn1(now)
            .map_err(|problem| Error::failed(Reason::CaDatabase, problem.to_string()))?;
        Ok(match self {
            Self::None => date,
            Self::Reason(reason) => format!("{date},{reason}"),
            Self::Hold(instruction) => format!("{date},holdInstruction,{instruction}"),
            Self::KeySince(since) => format!("{date},keyTime,{since}"),
            Self::AuthoritySince(since) => format!("{date},CAkeyTime,{since}"),
        })
    }
}

/// A revocation as the index has it, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// When.
    pub(crate) date: i64,
    /// The number of the reason.
    pub(crate) reason: Option<u8>,
    /// What is to be done about a hold.
    pub(crate) hold: Option<String>,
    /// Since when the key is compromised.
    pub(crate) since: Option<String>,
}

impl Revocation {
    /// Takes a field of the index apart; else says what is wrong.
    pub(crate) fn parse(field: &str) -> std::result::Result<Self, String> {
        let mut parts = field.splitn(3, ',');
        let date = parts.next().unwrap_or_default();
        let date = time::parse(date).map_err(|problem| problem.to_string())?;
        let mut revocation = Self {
            date,
            reason: None,
            hold: None,
            since: None,
        };
        let (Some(word), argument) = (parts.next(), parts.next()) else {
            return Ok(revocation);
        };
        let argument = || {
            argument
                .map(str::to_owned)
                .ok_or_else(|| format!("{word} lacks its argument"))
        };
        let known = REASONS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        match (word.to_ascii_lowercase().as_str(), known) {
            ("holdinstruction", _) => {
                revocation.reason = Some(6);
                revocation.hold = Some(argument()?);
            }
            (key @ ("keytime" | "cakeytime"), _) => {
                revocation.reason = Some(if key == "keytime" { 1 } else { 2 });
                let since = argument()?;
                time::parse(&since).map_err(|problem| problem.to_string())?;
                revocation.since = Some(since);
            }
            (_, Some((_, number))) => revocation.reason = Some(*number),
            (_, None) => return Err(format!("unknown reason \"{word}\"")),
        }
        Ok(revocation)
    }

    /// Whether it is a hold, which can be lifted.
    pub(crate) fn is_hold(&self) -> bool {
        self.reason == Some(6)
    }

    /// The reason's name.
    pub(crate) fn reason_name(&self) -> Option<&'static str> {
        let number = self.reason?;
        REASONS
            .iter()
            .find(|(_, known)| *known == number)
            .map(|(name, _)| *name)
    }
}

/// What follows the date in a field of the index, for what a revocation list says of an entry.
pub(crate) fn reason_field(reason: Option<u8>, since: Option<&str>, hold: Option<&str>) -> String {
    let known = REASONS.iter().find(|(_, number)| Some(*number) == reason);
    match (reason, since, hold) {
        (Some(6), _, Some(hold)) => format!(",holdInstruction,{hold}"),
        (Some(1), Some(since), _) => format!(",keyTime,{since}"),
        (Some(2), Some(since), _) => format!(",CAkeyTime,{since}"),
        _ => known.map_or_else(String::new, |(name, _)| format!(",{name}")),
    }
}

/// The serial number of a certificate.
pub(crate) fn serial_of(certificate: &X509) -> Result<Serial> {
    let number = certificate.serial_number().to_bn();
    let number =
        number.map_err(|stack| crate::ossl::error::failed("can't read a serial number", &stack))?;
    Ok(Serial::from_magnitude(
        &number.to_vec(),
        number.is_negative(),
    ))
}

/// The record that a certificate would have.
pub(crate) fn row_of(certificate: &X509) -> Result<Row> {
    let (_, end) = validity_of(certificate)?;
    let serial = serial_of(certificate)?;
    let name = name::oneline(certificate.subject_name());
    Ok(Row {
        status: Status::Valid,
        expiry: time::asn1(end)
            .map_err(|problem| Error::failed(Reason::CaRead, problem.to_string()))?,
        revocation: String::new(),
        name: match name.is_empty() {
            true => serial.to_string().into_bytes(),
            false => name.into_bytes(),
        },
        serial,
        file: b"unknown".to_vec(),
    })
}

/// What an operation on one record did.
pub(crate) struct Done {
    /// The changes that make it so.
    pub(crate) changes: Vec<Change>,
    /// The record.
    pub(crate) record: Record,
}

/// Revokes a certificate, or lifts the hold of one (`removeFromCRL`).
///
/// `issuer` is the authority's certificate: a certificate that it didn't issue isn't revoked unless `force` says so.
pub(crate) fn revoke(
    store: &mut dyn Store,
    certificate: &X509,
    issuer: Option<&X509>,
    cause: &Cause,
    force: bool,
    now: i64,
) -> Result<Done> {
    let wanted = row_of(certificate)?;
    check_issuer(certificate, issuer, force)?;
    let present = store.record(&wanted.serial)?;
    if let Some(row) = &present {
        check_name(row, &wanted)?;
    }
    let held = present
        .as_ref()
        .and_then(|row| Revocation::parse(&row.revocation).ok())
        .is_some_and(|revocation| revocation.is_hold());
    let known = present.is_some();
    let before = present.unwrap_or(wanted);
    let lift = *cause == Cause::Reason("removeFromCRL");
    let after = match (before.status, lift) {
        (Status::Revoked, true) if held => Row {
            // What has ended in the meantime isn't valid again.
            status: match before.view().expires() <= now {
                true => Status::Expired,
                false => Status::Valid,
            },
            revocation: String::new(),
            ..before.clone()
        },
        // A hold may become final.
        (Status::Revoked, false)
            if held && !matches!(cause, Cause::Reason("certificateHold") | Cause::Hold(_)) =>
        {
            Row {
                revocation: cause.field(now)?,
                ..before.clone()
            }
        }
        (Status::Revoked, _) => {
            return Err(refused("revoked", &before, "has been revoked already"));
        }
        (_, true) => return Err(refused("hold", &before, "isn't on hold")),
        _ => Row {
            status: Status::Revoked,
            revocation: cause.field(now)?,
            ..before.clone()
        },
    };
    if lift && store.unique_subject()? && store.valid_subject(&after.name)?.is_some() {
        return Err(refused(
            "unique_subject",
            &after,
            "has a valid successor with the same subject",
        ));
    }
    let record = describe(&after);
    let changes = match known {
        true => vec![Change::Record(Edit::Update { before, after })],
        false => added(after, certificate)?,
    };
    Ok(Done { changes, record })
}

/// Enters a certificate that the database doesn't know as a valid one.
pub(crate) fn enter(
    store: &mut dyn Store,
    certificate: &X509,
    issuer: Option<&X509>,
    force: bool,
) -> Result<Done> {
    let row = row_of(certificate)?;
    check_issuer(certificate, issuer, force)?;
    if let Some(present) = store.record(&row.serial)? {
        check_name(&present, &row)?;
        return Err(refused("present", &row, "is in the database already"));
    }
    if store.unique_subject()? && store.valid_subject(&row.name)?.is_some() {
        return Err(refused(
            "unique_subject",
            &row,
            "has the subject of a valid certificate",
        ));
    }
    Ok(Done {
        record: describe(&row),
        changes: added(row, certificate)?,
    })
}

/// The changes that enter a certificate of which the database had no record.
fn added(row: Row, certificate: &X509) -> Result<Vec<Change>> {
    let bytes = certificate
        .to_pem()
        .map_err(|stack| crate::ossl::error::failed("can't write the certificate", &stack))?;
    let serial = row.serial.clone();
    Ok(vec![
        Change::Record(Edit::Add(row)),
        // A folder of new certificates is for those that were issued into it.
        Change::Certificate {
            serial,
            path: None,
            bytes,
        },
    ])
}

/// Marks what has ended; `tell` gets the records that this concerns.
pub(crate) fn expire(
    store: &mut dyn Store,
    now: i64,
    tell: &mut dyn FnMut(&Row),
) -> Result<Vec<Change>> {
    let mut any = false;
    store.each_ended(now, &mut |row| {
        any = true;
        let mut row = row.to_row();
        row.status = Status::Expired;
        tell(&row);
        Ok(())
    })?;
    Ok(match any {
        true => vec![Change::Record(Edit::Expire(now))],
        false => Vec::new(),
    })
}

/// What a record says, for `-info`.
pub(crate) fn describe(row: &Row) -> Record {
    let mut record = Record::new();
    record.put("serial", row.serial.to_string());
    record.put("status", row.status.word());
    record.put("subject", String::from_utf8_lossy(&row.name).into_owned());
    record.put("notAfter", time::text(row.view().expires()));
    if let Ok(revocation) = Revocation::parse(&row.revocation) {
        record.put("revoked", time::text(revocation.date));
        if let Some(reason) = revocation.reason_name() {
            record.put("reason", reason);
        }
        if let Some(hold) = revocation.hold {
            record.put("hold", hold);
        }
        if let Some(since) = revocation
            .since
            .as_deref()
            .and_then(|since| time::parse(since).ok())
        {
            record.put("compromised", time::text(since));
        }
    }
    record
}

/// Refuses a certificate that another authority issued.
fn check_issuer(certificate: &X509, issuer: Option<&X509>, force: bool) -> Result<()> {
    let own = match issuer {
        Some(issuer) if !force => issuer
            .public_key()
            .and_then(|key| certificate.verify(&key))
            .unwrap_or(false),
        _ => true,
    };
    crate::ossl::error::queue();
    match own {
        true => Ok(()),
        false => Err(Error::failed_with(
            Reason::CaVerify,
            ["issuer"],
            format!(
                "the certificate of {} wasn't issued by this authority",
                name::oneline(certificate.subject_name())
            ),
        )),
    }
}

/// Refuses a certificate whose record is another's.
fn check_name(present: &Row, wanted: &Row) -> Result<()> {
    match present.name == wanted.name {
        true => Ok(()),
        false => Err(refused(
            "name",
            present,
            &format!(
                "belongs to another certificate than {}",
                String::from_utf8_lossy(&wanted.name)
            ),
        )),
    }
}

/// The error for a record that can't be changed so.
fn refused(detail: &str, row: &Row, why: &str) -> Error {
    let serial = row.serial.to_string();
    let name = String::from_utf8_lossy(&row.name);
    Error::failed_with(
        Reason::CaDatabase,
        [detail, &serial],
        format!("the certificate {serial}, {name}, {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_is_written_and_read_as_openssl_does() {
        let now = time::parse("260102030405Z").unwrap();
        for (cause, field, reason) in [
            (Cause::None, "260102030405Z", None),
            (
                Cause::reason("KEYCOMPROMISE").unwrap(),
                "260102030405Z,keyCompromise",
                Some(1),
            ),
            (
                Cause::reason("cacompromise").unwrap(),
                "260102030405Z,CACompromise",
                Some(2),
            ),
            (
                Cause::hold("holdInstructionReject").unwrap(),
                "260102030405Z,holdInstruction,holdInstructionReject",
                Some(6),
            ),
            (
                Cause::since("-x", "20250101000000Z", false).unwrap(),
                "260102030405Z,keyTime,20250101000000Z",
                Some(1),
            ),
            (
                Cause::since("-x", "20250101000000Z", true).unwrap(),
                "260102030405Z,CAkeyTime,20250101000000Z",
                Some(2),
            ),
        ] {
            assert_eq!(cause.field(now).unwrap(), field);
            let revocation = Revocation::parse(field).unwrap();
            assert_eq!((revocation.date, revocation.reason), (now, reason));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(Cause::reason("boredom").is_err());
        assert!(Cause::hold("no such name").is_err());
        for bad in ["250101000000Z", "20251301000000Z", "", "now"] {
            assert!(Cause::since("-x", bad, false).is_err(), "{bad}");
        }
        for bad in [
            "x",
            "260102030405Z,boredom",
            "260102030405Z,keyTime",
            "260102030405Z,keyTime,x",
        ] {
            assert!(Revocation::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_after_2049_are_written_with_their_century() {
        let now = time::parse("20600102030405Z").unwrap();
        assert_eq!(Cause::None.field(now).unwrap(), "20600102030405Z");
        assert_eq!(Revocation::parse("20600102030405Z").unwrap().date, now);
    }
}
