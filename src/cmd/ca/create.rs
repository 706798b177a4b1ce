//! `tls::ca -newca`: a new authority in a folder.

use std::path::Path;

use super::ask::Call;
use super::inputs::{option_error, subject};
use super::words::Words;
use crate::ca::{ask, create};
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
    let call = Call::new(interp, words)?;
    call.check_new_authority()?;
    let folder = Path::new(folder);
    create::check(folder)?;
    let name = match &call.making.subj {
        Some(text) => text.clone(),
        None => {
            let name = folder.file_name();
            let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            format!("/CN={} CA", name.replace(['/', '+', '\\'], "_"))
        }
    };
    let subject = subject(&name, true)?;
    let inline = ask::inline("-addext", &words.given.texts("-addext"))?;
    let lock = call.lock()?;
    let asker = call.asker()?;
    let certificate = call.certificate(&asker, &subject, &inline, &EXTENSIONS, DAYS)?;
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

impl Call<'_> {
    /// Refuses what a new authority has by itself.
    fn check_new_authority(&self) -> Result<()> {
        let refused = [
            ("-keyfile", self.place.keyfile.is_some()),
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
}
