//! `-smimestore`: a file in which is kept what verified messages tell about mail addresses.
//!
//! It is a dict in Tcl's text form, by address, so that a script reads it with `dict get`, an editor mends it, and no
//! further package is needed; it is small, a few kilobytes for an address. It is written whole or not at all, and who
//! learns locks it, so that two processes don't forget what the other has learned.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;

use openssl::x509::X509;

use super::{Job, KINDS, option_error};
use crate::cmd::pki::Inputs;
use crate::cmd::sink::{Sink, Target};
use crate::cmd::staged;
use crate::cms::book::{self, Entry};
use crate::error::{Error, Reason, Result};
use crate::tcl::{Interp, Obj, files};
use crate::x509::load;

/// The option.
const OPTION: &str = "-smimestore";

/// The time now, in seconds since 1970.
pub(super) fn now() -> i64 {
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The error for a store that can't be read.
fn unreadable(name: &str, why: &str) -> Error {
    let message = format!("can't read the store \"{name}\" of {OPTION}: {why}");
    Error::failed_with(Reason::CmsRead, [OPTION, name], message)
}

/// Reads a store.
fn read(inputs: &Inputs<'_>, name: &str) -> Result<Vec<Entry>> {
    let content = inputs.content(OPTION, name)?;
    let bad = || unreadable(name, "it isn't a dict of addresses");
    let text = Obj::text(std::str::from_utf8(&content).map_err(|_| bad())?);
    let words = text.as_list().ok_or_else(bad)?;
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(bad());
    }
    pairs
        .iter()
        .map(|[address, facts]| {
            let list = |key: &str| {
                facts
                    .dict_value(key)
                    .map(|value| value.as_list().ok_or_else(bad))
            };
            let ciphers = list("ciphers").transpose()?;
            let mut certificates = Vec::new();
            for pem in list("certificates").transpose()?.unwrap_or_default() {
                let found = load::certificates(pem.as_text().as_bytes())
                    .map_err(|problem| unreadable(name, &problem.to_string()))?;
                certificates.extend(found.iter().filter_map(|one| one.to_der().ok()));
            }
            Ok(Entry {
                address: address.as_text().to_lowercase(),
                time: facts
                    .dict_value("time")
                    .and_then(|time| time.as_int())
                    .ok_or_else(bad)?,
                ciphers: ciphers
                    .map(|list| list.iter().map(|one| one.as_text().into_owned()).collect()),
                certificates,
            })
        })
        .collect()
}

/// A store as text: an address a line, as far as certificates allow.
fn text(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let mut facts = vec![("time", Obj::int(entry.time))];
        if let Some(ciphers) = &entry.ciphers {
            facts.push((
                "ciphers",
                Obj::list(ciphers.iter().map(|one| Obj::text(one))),
            ));
        }
        let certificates = entry
            .certificates
            .iter()
            .filter_map(|encoded| X509::from_der(encoded).and_then(|one| one.to_pem()).ok())
            .map(|pem| Obj::text(&String::from_utf8_lossy(&pem)));
        facts.push(("certificates", Obj::list(certificates)));
        let line = Obj::list([Obj::text(&entry.address), Obj::dict(facts)]);
        text.push_str(&line.as_text());
        text.push('\n');
    }
    text
}

/// Locks a store, as long as the result lives; a store in a virtual file system can't be locked.
fn lock(name: &str) -> io::Result<Option<File>> {
    let Ok(path) = files::native(name) else {
        return Ok(None);
    };
    loop {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(&path)?;
        file.lock()?;
        // Who had the lock before has put another file in this one's place.
        let same = path.metadata().is_ok_and(|facts| {
            file.metadata()
                .is_ok_and(|own| (own.dev(), own.ino()) == (facts.dev(), facts.ino()))
        });
        if same {
            return Ok(Some(file));
        }
    }
}

/// Puts what was learned into a store; the file waits for its name as long as the lock is held.
pub(super) fn learn(
    interp: Interp<'_>,
    name: &str,
    learned: Vec<Entry>,
) -> Result<(Sink, Option<File>)> {
    let inputs = Inputs {
        interp,
        kinds: KINDS,
        script: None,
    };
    inputs.check_access(OPTION, name)?;
    let failed = |error: io::Error| {
        let text = staged::failure("open", name, &error);
        Error::failed_with(Reason::CmsWrite, [OPTION, name], text.message())
    };
    let lock = lock(name).map_err(failed)?;
    let mut known = match &lock {
        Some(_) => read(&inputs, name)?,
        // Without a lock there is nothing that would have made the file.
        None => read(&inputs, name).unwrap_or_default(),
    };
    book::merge(&mut known, learned);
    let mut sink = Sink::file(interp, Target::new(KINDS, OPTION, name))?;
    sink.put(text(&known).as_bytes())?;
    Ok((sink, lock))
}

impl Job<'_> {
    /// What is known of the addresses of `-to`, if there is a store.
    pub(super) fn addressees(&self) -> Result<Vec<Entry>> {
        let Some(name) = &self.checking.smimestore else {
            return Ok(Vec::new());
        };
        let known = read(&self.inputs, name)?;
        let values = self.words.given.texts("-to");
        values
            .iter()
            .flat_map(|value| split(value))
            .map(|address| {
                let found = known.iter().find(|entry| entry.address == address);
                found.cloned().ok_or_else(|| {
                    option_error(
                        "-to",
                        format!("nothing is known of \"{address}\" in \"{name}\""),
                    )
                })
            })
            .collect()
    }

    /// The certificate to encrypt for.
    pub(super) fn addressee(&self, entry: &Entry) -> Result<X509> {
        book::certificate(entry, now()).ok_or_else(|| {
            let address = &entry.address;
            option_error(
                "-to",
                format!("no certificate of \"{address}\" is valid now"),
            )
        })
    }
}

/// The addresses of a header, in small letters.
fn split(header: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in header.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            _ => {}
        }
        if let Some(part) = parts.last_mut()
            && (letter != ',' || quoted)
        {
            part.push(letter);
        }
    }
    parts
        .iter()
        .map(|part| match part.rsplit_once('<') {
            Some((_, inside)) => inside.split('>').next().unwrap_or_default(),
            None => part,
        })
        .map(|address| address.trim().to_lowercase())
        .filter(|address| !address.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn addresses_stand_in_headers_in_several_ways() {
        assert_eq!(split("A@b.org"), ["a@b.org"]);
        assert_eq!(
            split("\"Doe, J\" <j@b>, k@c , Me <m@D>"),
            ["j@b", "k@c", "m@d"]
        );
        assert_eq!(split(" , "), [""; 0]);
    }
}
