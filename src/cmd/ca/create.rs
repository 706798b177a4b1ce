//! `tls::ca -newca`: a new authority in a folder.

use std::path::Path;

use openssl::x509::X509;

use super::ask::Call;
use super::inputs::{option_error, subject};
use super::words::Words;
use crate::ca::authority::Authority;
use crate::ca::{ask, create};
use crate::cmd::pki::shown;
use crate::error::Result;
use crate::ossl::error::failed;
use crate::tcl::{Interp, Obj};
use crate::value::Record;
use crate::x509::describe;

/// How many days an authority lasts.
const DAYS: i64 = 3650;

/// What an authority's certificate has.
const EXTENSIONS: [&str; 3] = [
    "basicConstraints = critical,CA:TRUE",
    "keyUsage = critical,digitalSignature,keyCertSign,cRLSign",
    "subjectKeyIdentifier = hash",
];

/// Makes a new authority; the result is its certificate.
pub(super) fn run(interp: Interp<'_>, words: &Words, folder: &str) -> Result<Obj> {
    let mut call = Call::new(interp, words)?;
    call.check_new_authority()?;
    let folder = Path::new(folder);
    create::check(folder)?;
    let lock = call.lock()?;
    let (asker, certificate) = match call.place.cert.clone() {
        Some(file) => call.present(&file)?,
        None => call.made(folder)?,
    };
    create::create(folder, &lock.pem(&asker.key)?, &certificate)?;
    call.finish()?;
    if let Some(name) = &call.reporting.info {
        let mut info = Record::new();
        let configuration = folder.join("openssl.cnf");
        info.put("configuration", configuration.display().to_string());
        info.put("certificate", describe::summary(&certificate));
        interp.set_variable(&Obj::text(name), &Obj::from(&info))?;
    }
    let pem = certificate
        .to_pem()
        .map_err(|stack| failed("can't write the certificate", &stack))?;
    Ok(Obj::bytes(&pem))
}

/// What says how a certificate is made, and is of no use where there is one.
const ABOUT_NEW: [&str; 13] = [
    "-addext",
    "-days",
    "-enddate",
    "-extensions",
    "-md",
    "-newkey",
    "-pkeyopt",
    "-reqexts",
    "-set_serial",
    "-sigopt",
    "-startdate",
    "-subj",
    "-utf8",
];

impl Call<'_> {
    /// Refuses what a new authority has by itself.
    fn check_new_authority(&self) -> Result<()> {
        let refused = [
            (
                "-keyfile",
                self.place.keyfile.is_some() && self.place.cert.is_none(),
            ),
            ("-keyout", self.asking.keyout.is_some()),
            ("-config", self.place.config.is_some()),
            ("-out", self.output.out.is_some()),
            ("-outchan", self.output.outchan.is_some()),
        ];
        match refused.iter().find(|(_, given)| *given) {
            Some((option, _)) => {
                let message = format!(
                    "{option} doesn't go with -newca, which makes a folder with all that it needs"
                );
                Err(option_error(option, message))
            }
            None => Ok(()),
        }
    }

    /// A new key, and its certificate.
    fn made(&self, folder: &Path) -> Result<(Authority, X509)> {
        let name = match &self.making.subj {
            Some(text) => text.clone(),
            None => {
                let name = folder.file_name();
                let name =
                    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                format!("/CN={} CA", name.replace(['/', '+', '\\'], "_"))
            }
        };
        let subject = subject(&name, true)?;
        let inline = ask::inline("-addext", &self.words.given.texts("-addext"))?;
        let asker = self.asker()?;
        let certificate = self.certificate(&asker, &subject, &inline, &EXTENSIONS, DAYS)?;
        Ok((asker, certificate))
    }

    /// The key and the certificate of an authority that is there. As in CA.pl, one file may hold both.
    fn present(&mut self, file: &str) -> Result<(Authority, X509)> {
        let about_new = self.words.given.last_of(&ABOUT_NEW);
        if let Some(setting) = about_new {
            let option = setting.spec.name;
            let message = format!("{option} makes a certificate, -cert names one that is there");
            return Err(option_error(option, message));
        }
        if self.has_password() && self.asking.passout.is_none() && self.asking.clear.is_none() {
            let message = "the key may have a password: say by -passout or -noenc how it is kept";
            return Err(option_error("-passout", message));
        }
        self.place.keyfile.get_or_insert_with(|| file.to_owned());
        let certificate = self.named_certificate(file)?;
        let asker = self.asker()?;
        create::check_pair(&certificate, &asker.key, shown(file))?;
        Ok((asker, certificate))
    }
}
