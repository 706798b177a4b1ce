//! `tls::misc`: a new key with a certificate that it signs itself, into files or variables.

use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

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
    let key_file = beside(key, &made.key, 0o600)?;
    let certificate_file = beside(certificate, &made.certificate, 0o644)?;
    keep(key_file, key)?;
    keep(certificate_file, certificate)
}

/// A file with this content, still under another name.
fn beside(name: &str, content: &[u8], mode: u32) -> Result<(NamedTempFile, PathBuf)> {
    let path = files::native(name)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let mut file = Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(|error| unwritable(name, &error))?;
    file.write_all(content)
        .map_err(|error| unwritable(name, &error))?;
    Ok((file, path))
}

/// Gives a file its name.
fn keep((file, path): (NamedTempFile, PathBuf), name: &str) -> Result<()> {
    file.persist(path)
        .map(|_| ())
        .map_err(|error| unwritable(name, &error.error))
}

/// The error for a file that can't be written.
fn unwritable(name: &str, error: &std::io::Error) -> Error {
    // An error that names a path has its number no more.
    let errno = error.raw_os_error().unwrap_or_else(|| match error.kind() {
        ErrorKind::NotFound => libc::ENOENT,
        ErrorKind::PermissionDenied => libc::EACCES,
        _ => libc::EIO,
    });
    files::os_error(errno, &format!("couldn't write \"{name}\""))
}
