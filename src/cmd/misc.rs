//! `tls::misc`: a new key with a certificate that it signs itself, into files or variables.

use std::io::Write;

use super::staged::{self, Staged};
use crate::error::{Error, Reason, Result};
use crate::tcl::{Interp, Obj, files};
use crate::x509::make::{self, Made, Wish};
use crate::x509::name::Attribute;

/// The command's form.
const SYNTAX: &str = "tls::misc req|strreq bits keyout certout ?dict?";

/// The parameters that aren't part of the name, and those that are with their types.
const PARAMETERS: [(&str, Option<&str>); 9] = [
    ("days", None),
    ("serial", None),
    ("C", Some("C")),
    ("ST", Some("ST")),
    ("L", Some("L")),
    ("O", Some("O")),
    ("OU", Some("OU")),
    ("CN", Some("CN")),
    ("Email", Some("emailAddress")),
];

/// `tls::misc req bits keyout certout ?dict?`: makes two files. `tls::misc strreq …`: sets two variables.
pub(super) fn misc(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [command, rest @ ..] = words else {
        return Err(Error::wrong_args(SYNTAX));
    };
    let command = command.as_text();
    if !matches!(&*command, "req" | "strreq") {
        let message = format!("bad command \"{command}\": must be req or strreq");
        return Err(Error::usage(
            ["TCL", "LOOKUP", "INDEX", "command", &command],
            message,
        ));
    }
    let (bits, key, certificate, parameters) = match rest {
        [bits, key, certificate] => (bits, key, certificate, None),
        [bits, key, certificate, parameters] => (bits, key, certificate, Some(parameters)),
        _ => return Err(Error::wrong_args(SYNTAX)),
    };
    let wish = read(bits, parameters)?;
    let in_files = command == "req";
    if in_files && interp.is_safe() {
        let doing = "couldn't make files in a safe interpreter";
        return Err(files::os_error(libc::EACCES, doing));
    }
    let made = make::self_signed(wish)
        .map_err(|problem| Error::failed(Reason::MiscRequest, problem.to_string()))?;
    match in_files {
        true => write(&made, &key.as_text(), &certificate.as_text())?,
        false => {
            interp.set_variable(key, &Obj::text(&String::from_utf8_lossy(&made.key)))?;
            let pem = String::from_utf8_lossy(&made.certificate);
            interp.set_variable(certificate, &Obj::text(&pem))?;
        }
    }
    Ok(Obj::empty())
}

/// Reads what the certificate is to be like.
fn read(bits: &Obj, parameters: Option<&Obj>) -> Result<Wish> {
    let mut wish = Wish {
        bits: number(bits, 512, 16384)?,
        days: 365,
        serial: 0,
        name: Vec::new(),
    };
    let words = match parameters {
        None => Vec::new(),
        Some(value) => value.as_list().ok_or_else(|| no_dict(&value.as_text()))?,
    };
    for pair in words.chunks(2) {
        let [key, value] = pair else {
            return Err(no_dict("missing value to go with key"));
        };
        let key = key.as_text();
        match PARAMETERS.iter().find(|(name, _)| *name == key) {
            Some(("days", _)) => wish.days = number(value, 0, i64::from(i32::MAX) / 86400)?,
            Some(("serial", _)) => wish.serial = number(value, 0, i64::from(u32::MAX))?,
            Some((_, Some(kind))) => wish.name.push(Attribute {
                kind: (*kind).to_owned(),
                value: value.as_text().into_owned(),
            }),
            _ => {
                return Err(Error::usage(
                    ["TCL", "LOOKUP", "INDEX", "parameter", &key],
                    format!("Unknown parameter \"{key}\""),
                ));
            }
        }
    }
    Ok(wish)
}

/// A whole number in a range.
fn number(value: &Obj, least: i64, most: i64) -> Result<u32> {
    value
        .as_int()
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| {
            let text = value.as_text();
            let message = format!("expected integer from {least} to {most} but got \"{text}\"");
            Error::usage(["TCL", "VALUE", "NUMBER"], message)
        })
}

/// The error for what is no dict.
fn no_dict(why: &str) -> Error {
    Error::usage(["TCL", "VALUE", "DICTIONARY"], why.to_owned())
}

/// Writes both files, or neither. Nobody else may read the key.
fn write(made: &Made, key: &str, certificate: &str) -> Result<()> {
    let stage = |name: &str, content: &[u8], mode: u32| {
        let staged = Staged::new(name, Some(mode)).and_then(|mut file| {
            file.write_all(content)?;
            Ok(file)
        });
        staged.map_err(|error| staged::failure("write", name, &error))
    };
    let key_file = stage(key, &made.key, 0o600)?;
    let certificate_file = stage(certificate, &made.certificate, 0o644)?;
    for (file, name) in [(key_file, key), (certificate_file, certificate)] {
        file.finish()
            .map_err(|error| staged::failure("write", name, &error))?;
    }
    Ok(())
}
