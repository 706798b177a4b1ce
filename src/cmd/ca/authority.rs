//! Where an authority's things are: its certificate, its key, its configuration, its database and its folder.
//!
//! Reads the files that options and configuration name, and opens the database; what is done to it is told elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::Job;
use super::database::Database;
use super::inputs::{encoding, option_error};
use crate::ca::authority::Authority;
use crate::ca::disk;
use crate::ca::folder::Folder;
use crate::ca::store::{Files, Purpose, Store};
use crate::ca::watch::Nobody;
use crate::cmd::pki::Inputs;
use crate::error::{Error, Reason, Result};

impl Job<'_> {
    /// The authority's certificate and key.
    pub(super) fn authority(&self) -> Result<Authority> {
        let own = self.making.selfsign.is_some()
            && self.operations.spkac.is_none()
            && self.operations.ss_cert.is_none()
            && self.operations.gencrl.is_none();
        let file = self.or_config(self.place.keyfile.as_ref(), "private_key")?;
        let key = self.key("-keyfile", &file)?;
        let certificate = match own {
            true => None,
            false => Some(self.certificate()?),
        };
        let digest = match &self.making.md {
            Some(name) => Some(name.clone()),
            None if Authority::brings_digest(&key) => None,
            None => self.config.value("default_md"),
        };
        Authority::new(
            certificate,
            key,
            digest.as_deref(),
            self.words.given.texts("-sigopt"),
            self.library.query().map(str::to_owned),
        )
    }

    /// The authority's certificate.
    pub(super) fn certificate(&self) -> Result<X509> {
        let form = self.place.certform.as_deref();
        if !form.is_some_and(|word| word.eq_ignore_ascii_case("P12")) {
            encoding("-certform", form)?;
        }
        let file = self.or_config(self.place.cert.as_ref(), "certificate")?;
        self.inputs
            .certificate("-cert", &file, self.password.option())
    }

    /// The private key of an option.
    pub(super) fn key(&self, option: &str, file: &str) -> Result<PKey<Private>> {
        self.library
            .key(&self.inputs, option, file, self.password.option())
    }

    /// The value of an option, or else of a key that must then be there.
    pub(super) fn or_config(&self, option: Option<&String>, key: &str) -> Result<String> {
        match option {
            Some(value) => Ok(value.clone()),
            None => self.config.required(key),
        }
    }

    /// The database. One in files is locked whatever the purpose.
    pub(super) fn store(&self, purpose: Purpose) -> Result<Box<dyn Store>> {
        Ok(match self.database(purpose)? {
            Some(database) => Box::new(database),
            None => Box::new(Folder::open(self.files()?, self.patience()?, &mut Nobody)?),
        })
    }

    /// The database behind a connection, if that is what `-database` names.
    pub(super) fn database(&self, purpose: Purpose) -> Result<Option<Database>> {
        let connection = self.connection.as_deref();
        connection
            .map(|name| Database::new(self.interp, name, purpose, self.patience()?))
            .transpose()
    }

    /// The same for an operation that works on nothing else.
    pub(super) fn connected(&self, operation: &str, purpose: Purpose) -> Result<Database> {
        self.database(purpose)?.ok_or_else(|| {
            option_error(
                "-database",
                format!("{operation} needs -database with a TDBC connection"),
            )
        })
    }

    /// Where the database is, if it is in files.
    pub(super) fn files(&self) -> Result<Files> {
        let file = match (&self.connection, &self.place.database) {
            (None, Some(file)) => Some(file.as_str()),
            _ => None,
        };
        let files = self.config.files(file)?;
        if self.reporting.command.is_none() {
            return Ok(files);
        }
        // A thread may begin when the working directory is another one.
        let absolute = |path: PathBuf| disk::absolute(&path);
        Ok(Files {
            database: absolute(files.database),
            serial: files.serial.map(absolute),
            crl_number: files.crl_number.map(absolute),
            ..files
        })
    }

    /// How long to wait for other commands.
    pub(super) fn patience(&self) -> Result<Duration> {
        match self.place.locktimeout.unwrap_or(60_000) {
            wait @ 0.. => Ok(Duration::from_millis(wait.unsigned_abs())),
            _ => Err(option_error(
                "-locktimeout",
                "-locktimeout can't be below zero",
            )),
        }
    }

    /// The folder of issued certificates.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        let name = self.or_config(self.reporting.outdir.as_ref(), "new_certs_dir")?;
        let folder = PathBuf::from(&name);
        match disk::is_folder(&folder) {
            // The journal may be read from another working directory.
            true => Ok(disk::resolve(&folder)),
            false => {
                let message = format!("there is no folder \"{name}\" for new certificates");
                Err(Error::failed_with(Reason::CaWrite, [&name], message))
            }
        }
    }
}

/// The configuration's text and its name.
pub(super) fn configuration(
    inputs: &Inputs<'_>,
    option: Option<&str>,
) -> Result<(Vec<u8>, String)> {
    if let Some(text) = option.filter(|value| value.contains('\n')) {
        return Ok((text.as_bytes().to_vec(), "configuration text".to_owned()));
    }
    let file = match option {
        Some(file) => file.to_owned(),
        None => std::env::var("OPENSSL_CONF").unwrap_or_else(|_| built_in_configuration()),
    };
    inputs.document("-config", &file).map(|bytes| (bytes, file))
}

/// The configuration that OpenSSL was built to use.
fn built_in_configuration() -> String {
    let folder = openssl::version::dir();
    let folder = folder.trim_start_matches("OPENSSLDIR: ").trim_matches('"');
    format!("{folder}/openssl.cnf")
}
