//! The configuration of an authority: a section of an OpenSSL configuration file, with its defaults and its quirks.

use std::path::PathBuf;

use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::conf::Conf;

use super::folder::yes_or_no;
use super::store::Files;

/// A configuration file, and the section of it that describes the authority.
pub(crate) struct Config {
    /// The file as OpenSSL has read it.
    conf: Conf,
    /// Its name, for messages.
    file: String,
    /// The authority's section.
    section: String,
}

/// Reads a configuration from its text; `file` is its name for messages.
pub(crate) fn parse(text: &[u8], file: &str) -> Result<Conf> {
    Conf::load(text).map_err(|error| {
        let line = error.line.unwrap_or_default().to_string();
        let why = reasons_text(&without_lines(error.entries));
        Error::failed_with(
            Reason::CaRead,
            [file, &line],
            format!("can't read the configuration \"{file}\", line {line}: {why}"),
        )
    })
}

/// OpenSSL's entries without the data that repeats the line number.
fn without_lines(entries: Vec<OpenSslEntry>) -> Vec<OpenSslEntry> {
    let clear = |mut entry: OpenSslEntry| {
        if entry.data.starts_with("line ") {
            entry.data = String::new();
        }
        entry
    };
    entries.into_iter().map(clear).collect()
}

impl Config {
    /// Takes the authority's section: `name`, or what `default_ca` says.
    pub(crate) fn new(conf: Conf, file: &str, name: Option<&str>) -> Result<Self> {
        let section = match name {
            Some(name) => Some(name.to_owned()),
            // A value that the section lacks comes from the default section.
            None => conf.value(Some("ca"), "default_ca"),
        };
        let missing = |key: &str, section: &str| {
            let message =
                format!("the configuration \"{file}\" has no {key} in section \"{section}\"");
            Error::failed_with(Reason::CaRead, [file, section, key], message)
        };
        let section = section.ok_or_else(|| missing("default_ca", "ca"))?;
        if conf.section(&section).is_none() {
            let message = format!("the configuration \"{file}\" has no section \"{section}\"");
            return Err(Error::failed_with(
                Reason::CaRead,
                [file, &section],
                message,
            ));
        }
        Ok(Self {
            conf,
            file: file.to_owned(),
            section,
        })
    }

    /// The whole configuration.
    pub(crate) fn conf(&self) -> &Conf {
        &self.conf
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The value of a key; an empty one is one.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        self.conf.value(Some(&self.section), key)
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&self, key: &str) -> Result<String> {
        self.value(key).ok_or_else(|| {
            let (file, section) = (&self.file, &self.section);
            Error::failed_with(
                Reason::CaRead,
                [file, section, key],
                format!("the configuration \"{file}\" has no {key} in section \"{section}\""),
            )
        })
    }

    /// A key that is true or false.
    pub(crate) fn truth(&self, key: &str, default: bool) -> bool {
        let value = self.value(key);
        value.and_then(|word| yes_or_no(&word)).unwrap_or(default)
    }

    /// A key that the manual puts into the section `ca`; it counts in the authority's section as well.
    pub(crate) fn truth_of_ca(&self, key: &str) -> bool {
        let of_ca = self.conf.value(Some("ca"), key);
        of_ca.and_then(|word| yes_or_no(&word)).unwrap_or(false) || self.truth(key, false)
    }

    /// The file of random numbers, which the section `ca` names.
    pub(crate) fn random_file(&self) -> Option<String> {
        self.conf.value(Some("ca"), "RANDFILE")
    }

    /// A key that is a whole number above zero; none and zero are the same.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>> {
        let Some(text) = self.value(key) else {
            return Ok(None);
        };
        match text.trim().parse() {
            Ok(0) => Ok(None),
            Ok(number @ 1..) => Ok(Some(number)),
            _ => Err(self.bad(key, &format!("\"{text}\" is no number"))),
        }
    }

    /// The error for a key whose value can't be used.
    pub(crate) fn bad(&self, key: &str, why: &str) -> Error {
        let (file, section) = (&self.file, &self.section);
        Error::failed_with(
            Reason::CaRead,
            [file, section, key],
            format!("{key} in section \"{section}\" of \"{file}\": {why}"),
        )
    }

    /// The names and values of another section.
    pub(crate) fn section(&self, name: &str) -> Result<Vec<(String, String)>> {
        self.conf.section(name).ok_or_else(|| {
            let file = &self.file;
            let message = format!("the configuration \"{file}\" has no section \"{name}\"");
            Error::failed_with(Reason::CaRead, [file, name], message)
        })
    }

    /// Where the database is, unless it is the file that is named. Only its own file is mandatory: not every operation
    /// needs the others.
    pub(crate) fn files(&self, database: Option<&str>) -> Result<Files> {
        Ok(Files {
            database: match database {
                Some(file) => PathBuf::from(file),
                None => PathBuf::from(self.required("database")?),
            },
            serial: self.value("serial").map(PathBuf::from),
            crl_number: self.value("crlnumber").map(PathBuf::from),
            unique_subject: self.truth("unique_subject", true),
        })
    }
}

/// Makes the object identifiers of `oid_section` known; `oid_file` is read by the caller.
pub(crate) fn create_objects(conf: &Conf, file: &str) -> Result<()> {
    let Some(section) = conf.value(None, "oid_section") else {
        return Ok(());
    };
    let missing = || {
        let message = format!("the configuration \"{file}\" has no section \"{section}\"");
        Error::failed_with(Reason::CaRead, [file, &section], message)
    };
    for (name, value) in conf.section(&section).ok_or_else(missing)? {
        // The value may be `long name, 1.2.3`.
        let (long, oid) = match value.rsplit_once(',') {
            Some((long, oid)) => (long.trim(), oid.trim()),
            None => (name.as_str(), value.trim()),
        };
        create_object(oid, &name, long, file)?;
    }
    Ok(())
}

/// The name of the file with further object identifiers.
pub(crate) fn object_file(conf: &Conf) -> Option<String> {
    conf.value(None, "oid_file")
}

/// Makes the object identifiers of such a file known: lines of number, short name, long name.
pub(crate) fn create_objects_of(text: &[u8], file: &str) -> Result<()> {
    for line in String::from_utf8_lossy(text).lines() {
        let mut words = line.trim().splitn(3, char::is_whitespace);
        let Some(oid) = words
            .next()
            .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        else {
            continue;
        };
        let short = words.next().map_or(oid, str::trim);
        let long = words.next().map_or(short, str::trim);
        create_object(oid, short, long, file)?;
    }
    Ok(())
}

/// Makes one object identifier known, unless it is.
fn create_object(oid: &str, short: &str, long: &str, file: &str) -> Result<()> {
    if openssl::asn1::Asn1Object::from_str(short).is_ok() {
        return Ok(());
    }
    ossl::conf::create_object(oid, short, long).map_err(|entries| {
        let why = reasons_text(&entries);
        Error::failed_with(
            Reason::CaRead,
            [file, oid],
            format!("can't take the object identifier \"{oid}\" from \"{file}\": {why}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, name: Option<&str>) -> Result<Config> {
        Config::new(parse(text.as_bytes(), "x.cnf")?, "x.cnf", name)
    }

    #[test]
    fn the_section_is_found_by_default_ca_wherever_that_stands() {
        for text in ["[ca]\ndefault_ca=a\n[a]\nx=1\n", "default_ca=a\n[a]\nx=1\n"] {
            assert_eq!(config(text, None).unwrap().required("x").unwrap(), "1");
        }
        let error = config("[a]\nx=1\n", None).err().unwrap();
        assert_eq!(
            error.code(),
            ["TLS", "CA", "READ", "x.cnf", "ca", "default_ca"]
        );
        let error = config("[a]\nx=1\n", Some("b")).err().unwrap();
        assert_eq!(error.code(), ["TLS", "CA", "READ", "x.cnf", "b"]);
    }

    #[test]
    fn values_are_read_by_kind() {
        let text = "[ca]\npreserve=yes\n[a]\nn=5\nz=0\nbad=x\nt=no\n";
        let config = config(text, Some("a")).unwrap();
        assert_eq!(config.number("n"), Ok(Some(5)));
        assert_eq!(config.number("z"), Ok(None));
        assert_eq!(config.number("none"), Ok(None));
        assert!(config.number("bad").is_err());
        assert!(!config.truth("t", true));
        assert!(config.truth("none", true));
        assert!(config.truth_of_ca("preserve"));
        assert!(!config.truth_of_ca("msie_hack"));
    }

    #[test]
    fn a_broken_file_is_told_with_its_line() {
        let error = config("a=1\n[b\n", None).err().unwrap();
        assert_eq!(error.code(), ["TLS", "CA", "READ", "x.cnf", "2"]);
    }

    #[test]
    fn object_identifiers_become_known() {
        let text = "oid_section=o\n[o]\ntlsTrialA=1.3.6.1.4.1.55555.1\n\
            tlsTrialB=tls Trial B long, 1.3.6.1.4.1.55555.2\n";
        let conf = parse(text.as_bytes(), "x.cnf").unwrap();
        create_objects(&conf, "x.cnf").unwrap();
        // Known ones are left as they are.
        create_objects(&conf, "x.cnf").unwrap();
        create_objects_of(b"1.3.6.1.4.1.55555.3 tlsTrialC  tls Trial C\n# x\n", "o").unwrap();
        for name in ["tlsTrialA", "tls Trial B long", "tlsTrialC", "tls Trial C"] {
            assert!(openssl::asn1::Asn1Object::from_str(name).is_ok(), "{name}");
        }
    }
}
