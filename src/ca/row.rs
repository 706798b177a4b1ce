//! A line of `index.txt`: six fields between tabs, read and written byte for byte as OpenSSL does.
//!
//! Pure. Fields: status, expiry, revocation, serial number, file name, subject in one line.

use std::borrow::Cow;

use crate::x509::time;

use super::serial::Serial;

/// What a certificate's record says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Issued, not revoked, and not marked as expired.
    Valid,
    /// Revoked, for good or for a time.
    Revoked,
    /// Marked as expired.
    Expired,
    /// Suspended; OpenSSL knows the letter and never writes it.
    Suspended,
}

impl Status {
    /// The letter in the index.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Valid => 'V',
            Self::Revoked => 'R',
            Self::Expired => 'E',
            Self::Suspended => 'S',
        }
    }

    /// The status in a word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The status.
    pub(crate) status: Status,
    /// The end of validity as an ASN.1 time in text.
    pub(crate) expiry: String,
    /// The revocation: time, then reason, then its argument, with commas between; empty unless revoked.
    pub(crate) revocation: String,
    /// The serial number.
    pub(crate) serial: Serial,
    /// The file of the certificate; OpenSSL always writes `unknown`.
    pub(crate) file: Vec<u8>,
    /// The subject in OpenSSL's one-line form, or the serial number where the subject is empty.
    pub(crate) name: Vec<u8>,
}

/// The same as it stands in the file's text, for scanning many without copying them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowRef<'a> {
    /// The status.
    pub(crate) status: Status,
    /// The end of validity.
    pub(crate) expiry: &'a str,
    /// The revocation.
    pub(crate) revocation: &'a str,
    /// The serial number.
    pub(crate) serial: Serial,
    /// The file of the certificate.
    pub(crate) file: Cow<'a, [u8]>,
    /// The subject.
    pub(crate) name: Cow<'a, [u8]>,
}

/// What a line of the index turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A record.
    Row(RowRef<'a>),
    /// A comment, which OpenSSL skips as well.
    Comment,
    /// A line without anything. OpenSSL refuses the whole file then; here it is skipped, and goes with the next change.
    Empty,
}

/// Reads a line, given without its line feed; else says what is wrong with it.
pub(crate) fn parse(line: &[u8]) -> Result<Line<'_>, String> {
    match line {
        [b'#', ..] => return Ok(Line::Comment),
        [] | [b'\r'] => return Ok(Line::Empty),
        _ => {}
    }
    split(line)
        .map_err(|count| format!("{count} fields instead of 6"))
        .and_then(|fields| from_fields(&fields).map(Line::Row))
}

/// Puts a record together from its fields; else says what is wrong with one.
pub(crate) fn from_fields<'a>(fields: &[Cow<'a, [u8]>; 6]) -> Result<RowRef<'a>, String> {
    let [status, expiry, revocation, serial, file, name] = fields;
    let status = match status.as_ref() {
        b"V" => Status::Valid,
        b"R" => Status::Revoked,
        b"E" => Status::Expired,
        b"S" => Status::Suspended,
        other => return Err(format!("unknown status \"{}\"", shown(other))),
    };
    let expiry = text(expiry.clone()).filter(|text| time::parse(text).is_ok());
    let expiry = expiry.ok_or_else(|| format!("invalid expiry date \"{}\"", shown(&fields[1])))?;
    let revocation = text(revocation.clone())
        .filter(|text| match status {
            Status::Revoked => revocation_date(text).is_some(),
            _ => true,
        })
        .ok_or_else(|| format!("invalid revocation date \"{}\"", shown(&fields[2])))?;
    if status != Status::Revoked && !revocation.is_empty() {
        return Err("not revoked, but with a revocation date".to_owned());
    }
    Ok(RowRef {
        status,
        expiry,
        revocation,
        serial: serial_field(serial)?,
        file: file.clone(),
        name: name.clone(),
    })
}

/// The time of a revocation in seconds since 1970.
pub(crate) fn revocation_date(field: &str) -> Option<i64> {
    time::parse(field.split(',').next().unwrap_or_default()).ok()
}

/// The text of a field of which no byte was escaped.
fn text(field: Cow<'_, [u8]>) -> Option<&str> {
    match field {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok(),
        Cow::Owned(_) => None,
    }
}

/// Reads the serial number's field, with the rules that OpenSSL has for it.
fn serial_field(field: &[u8]) -> Result<Serial, String> {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    if digits.len() < 2 || digits.len() % 2 == 1 {
        return Err(format!("bad length {} of the serial number", digits.len()));
    }
    Serial::parse(field)
        .ok_or_else(|| format!("bad digit in the serial number \"{}\"", shown(field)))
}

/// Splits at tabs; a backslash before a tab makes it part of the field. If there aren't six fields, their number.
fn split(line: &[u8]) -> Result<[Cow<'_, [u8]>; 6], usize> {
    let mut fields = [const { Cow::Borrowed(&[] as &[u8]) }; 6];
    let mut count = 0;
    let mut put = |bytes, escapes| {
        if let Some(place) = fields.get_mut(count) {
            *place = field(bytes, escapes);
        }
        count += 1;
    };
    let mut begin = 0;
    let mut escapes = false;
    for at in memchr::memchr_iter(b'\t', line) {
        if at > begin && line[at - 1] == b'\\' {
            escapes = true;
            continue;
        }
        put(&line[begin..at], escapes);
        (begin, escapes) = (at + 1, false);
    }
    put(&line[begin..], escapes);
    match count {
        6 => Ok(fields),
        _ => Err(count),
    }
}

/// A field without the backslashes before its tabs.
fn field(bytes: &[u8], escapes: bool) -> Cow<'_, [u8]> {
    if !escapes {
        return Cow::Borrowed(bytes);
    }
    let mut clear: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if *byte == b'\t' {
            clear.pop();
        }
        clear.push(*byte);
    }
    Cow::Owned(clear)
}

impl RowRef<'_> {
    /// When the certificate ends, in seconds since 1970. [`parse`] has made sure that the field is a time.
    pub(crate) fn expires(&self) -> i64 {
        time::parse(self.expiry).unwrap_or(i64::MAX)
    }

    /// The record by itself.
    pub(crate) fn to_row(&self) -> Row {
        Row {
            status: self.status,
            expiry: self.expiry.to_owned(),
            revocation: self.revocation.to_owned(),
            serial: self.serial.clone(),
            file: self.file.to_vec(),
            name: self.name.to_vec(),
        }
    }
}

/// A field for an error message: printable, and not too long.
fn shown(field: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(field).chars().take(40).collect();
    text.escape_debug().to_string()
}

impl Row {
    /// The line, with its line feed.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(80 + self.name.len());
        let mut status = [0; 4];
        let serial = self.serial.to_string();
        let fields: [&[u8]; 6] = [
            self.status.letter().encode_utf8(&mut status).as_bytes(),
            self.expiry.as_bytes(),
            self.revocation.as_bytes(),
            serial.as_bytes(),
            &self.file,
            &self.name,
        ];
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                line.push(b'\t');
            }
            for byte in *field {
                if *byte == b'\t' {
                    line.push(b'\\');
                }
                line.push(*byte);
            }
        }
        line.push(b'\n');
        line
    }

    /// The record as it would stand in the text.
    pub(crate) fn view(&self) -> RowRef<'_> {
        RowRef {
            status: self.status,
            expiry: &self.expiry,
            revocation: &self.revocation,
            serial: self.serial.clone(),
            file: Cow::Borrowed(&self.file),
            name: Cow::Borrowed(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &[u8] = b"V\t301231235959Z\t\t0A\tunknown\t/CN=a";

    fn row(line: &[u8]) -> Row {
        match parse(line) {
            Ok(Line::Row(row)) => row.to_row(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_comes_out_as_it_went_in() {
        for line in [
            VALID,
            b"R\t301231235959Z\t250101000000Z,keyTime,20240101000000Z\t0100\tunknown\t/O=x/CN=\\xC3\\xA4",
            b"E\t20501231235959Z\t\t00\tunknown\t00",
            b"V\t301231235959Z\t\t-0A\tunknown\t/CN=a\\\tb",
        ] {
            let mut with_feed = line.to_vec();
            with_feed.push(b'\n');
            assert_eq!(row(line).to_line(), with_feed);
        }
    }

    #[test]
    fn an_escaped_tab_belongs_to_the_field() {
        assert_eq!(
            row(b"V\t301231235959Z\t\t0A\tunknown\t/CN=a\\\tb").name,
            b"/CN=a\tb"
        );
    }

    #[test]
    fn comments_and_empty_lines_are_told_apart_from_rows() {
        assert_eq!(parse(b"#V\t1"), Ok(Line::Comment));
        assert_eq!(parse(b""), Ok(Line::Empty));
        assert_eq!(parse(b"\r"), Ok(Line::Empty));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, said) in [
            (&b"V\t301231235959Z\t0A"[..], "3 fields instead of 6"),
            (
                b"X\t301231235959Z\t\t0A\tunknown\t/",
                "unknown status \"X\"",
            ),
            (
                b"V\t3012Z\t\t0A\tunknown\t/",
                "invalid expiry date \"3012Z\"",
            ),
            (
                b"R\t301231235959Z\t\t0A\tunknown\t/",
                "invalid revocation date \"\"",
            ),
            (
                b"V\t301231235959Z\t250101000000Z\t0A\tunknown\t/",
                "not revoked, but with a revocation date",
            ),
            (
                b"V\t301231235959Z\t\tA\tunknown\t/",
                "bad length 1 of the serial number",
            ),
            (
                b"V\t301231235959Z\t\t0G\tunknown\t/",
                "bad digit in the serial number \"0G\"",
            ),
        ] {
            assert_eq!(parse(line), Err(said.to_owned()));
        }
    }
}
