//! Records as columns: what the script gives and takes, and what the domain knows.
//!
//! Reads and makes values of the script; asks nothing.

use std::borrow::Cow;

use openssl::sha::sha256;

use crate::ca::row::{self, Row, RowRef};
use crate::ca::serial::Serial;
use crate::ca::store::{Found, Kept, Numbers};
use crate::error::{Error, Reason, Result};
use crate::tcl::Obj;

/// Takes rows apart and puts them together.
pub(super) struct Rows {
    /// The connection's name, for errors.
    pub(super) name: String,
}

impl Rows {
    /// Takes the state of the database apart.
    pub(super) fn numbers(&self, answer: &[Obj]) -> Result<Numbers> {
        let [serial, crl_number, unique, last] = answer else {
            return Err(self.damaged("tls_ca_state has no row"));
        };
        let number = |text: &Obj| match &*text.as_text() {
            "" => Ok(None),
            text => match Serial::parse(text.as_bytes()) {
                Some(number) => Ok(Some(number)),
                None => Err(self.damaged(&format!("tls_ca_state has the bad number \"{text}\""))),
            },
        };
        Ok(Numbers {
            serial: number(serial)?,
            crl_number: number(crl_number)?,
            unique_subject: unique.as_bool().unwrap_or(true),
            last_list: last.as_int(),
        })
    }

    /// Takes a row apart: the place, and the record.
    pub(super) fn record(&self, row: &[Obj]) -> Result<(Obj, Row)> {
        let [place, fields @ ..] = row else {
            return Err(self.damaged("an empty row"));
        };
        match record(fields) {
            Ok(row) => Ok((place.clone(), row)),
            Err(why) => Err(self.in_record(&place.as_text(), &why)),
        }
    }

    /// Takes a row apart that has the certificate as well, and what it is found by.
    pub(super) fn found(&self, row: &[Obj]) -> Result<Found> {
        let [place, fields @ ..] = row else {
            return Err(self.damaged("an empty row"));
        };
        let field = |at: usize| fields.get(at).map(Obj::as_text).unwrap_or_default();
        let row = record(fields);
        let indexed = row.as_ref().is_ok_and(|row| {
            field(3) == row.serial.to_string()
                && field(7) == row.view().expires().to_string()
                && field(8) == hash(&row.name)
        });
        let certificate = Some(field(6).into_owned()).filter(|text| !text.is_empty());
        Ok(Found {
            place: place.as_int().unwrap_or_default(),
            serial: field(3).into_owned(),
            row,
            indexed,
            certificate,
        })
    }

    /// Calls `visit` with the record of a revoked certificate that a line of the script's text tells of; gives its end
    /// and its place.
    pub(super) fn revoked(
        &self,
        line: &str,
        visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>,
    ) -> Result<(i64, i64)> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [serial, expiry, revocation, end, place] = fields.as_slice() else {
            return Err(self.damaged("a record that has a tab where none belongs"));
        };
        let fields = ["R", expiry, revocation, serial, "", ""];
        let row = row::from_fields(&fields.map(|field| Cow::Borrowed(field.as_bytes())));
        let row = row.map_err(|why| self.in_record(place, &why))?;
        visit(&row)?;
        match (end.parse(), place.parse()) {
            (Ok(end), Ok(place)) => Ok((end, place)),
            _ => Err(self.damaged("a record without a place")),
        }
    }

    /// The columns of a record, as the script wants them.
    pub(super) fn columns(&self, kept: &Kept) -> Result<Obj> {
        let row = &kept.row;
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(Obj::text(text)),
            _ => Err(self.damaged(&format!(
                "the record of certificate {} isn't text, which a database needs",
                row.serial
            ))),
        };
        Ok(Obj::list([
            Obj::text(&row.status.letter().to_string()),
            Obj::text(&row.expiry),
            Obj::int(row.view().expires()),
            Obj::text(&row.revocation),
            Obj::text(&row.serial.to_string()),
            text(&row.file)?,
            text(&row.name)?,
            Obj::text(&hash(&row.name)),
            Obj::text(kept.certificate.as_deref().unwrap_or_default()),
        ]))
    }

    /// The error for a record that makes no sense.
    pub(super) fn in_record(&self, place: &str, why: &str) -> Error {
        self.damaged(&format!("tls_ca_certificate, place {place}: {why}"))
    }

    /// The error for contents that make no sense.
    pub(super) fn damaged(&self, why: &str) -> Error {
        let name = &self.name;
        let message = format!("the database \"{name}\": {why}");
        Error::failed_with(Reason::CaDatabase, [name], message)
    }
}

/// Puts a record together from the columns that a record is read as; else says what is wrong.
fn record(fields: &[Obj]) -> std::result::Result<Row, String> {
    let texts: Vec<Cow<'_, str>> = fields.iter().take(6).map(Obj::as_text).collect();
    let bytes: Vec<Cow<'_, [u8]>> = texts
        .iter()
        .map(|text| Cow::Borrowed(text.as_bytes()))
        .collect();
    match <[_; 6]>::try_from(bytes) {
        Ok(fields) => row::from_fields(&fields).map(|row| row.to_row()),
        Err(fields) => Err(format!("{} fields instead of 6", fields.len())),
    }
}

/// What a subject is found by: subjects themselves can be too long for an index.
pub(super) fn hash(name: &[u8]) -> String {
    let digest = sha256(name);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The PEM form alone, from what a certificate's file would hold.
pub(super) fn pem(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let begin = text.find("-----BEGIN ").unwrap_or_default();
    text[begin..].to_owned()
}
