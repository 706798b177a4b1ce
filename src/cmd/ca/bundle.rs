//! `tls::ca -pkcs12`: a certificate, its key and the authority's certificate in one file, for browsers and mail programs.

use super::Job;
use super::inputs::{KINDS, option_error};
use super::outcome::{Outcome, ready};
use crate::ca::bundle::{self, Bundle};
use crate::cmd::sink::{Sink, Target};
use crate::error::{Error, Result};
use crate::opts::options;
use crate::tcl::Obj;
use crate::x509::describe;

options! {
    /// Certificates with their keys.
    pub(super) struct Bundling, BUNDLING {
        pkcs12: Flag = "-pkcs12", Both, Command, "3.0", "off",
            "Put a certificate, its private key and the authority's certificate into one file";
        inkey: File = "-inkey", Both, Command, "3.0", "newkey.pem",
            "Private key of the certificate that -pkcs12 takes";
    }
}

impl Job<'_> {
    /// Makes the file.
    pub(super) fn bundle(&self, bundling: &Bundling<Obj>, outcome: &mut Outcome) -> Result<()> {
        let name = match self.words.requests.as_slice() {
            [] => "My Certificate",
            [name] => name,
            _ => {
                let message = "-pkcs12 takes one further word, a name for the certificate";
                return Err(option_error("-pkcs12", message));
            }
        };
        let source = self.asking.passout.as_ref().ok_or_else(|| {
            let message = "-pkcs12 needs -passout: the file holds a private key";
            option_error("-passout", message)
        })?;
        let file = self.operations.input.as_deref().unwrap_or("newcert.pem");
        let password = self.password.option();
        let certificate = self.inputs.certificate("-in", file, password)?;
        let key = bundling.inkey.as_deref().unwrap_or("newkey.pem");
        let key = self.key("-inkey", key)?;
        let made = Bundle {
            name,
            certificate: &certificate,
            key: &key,
            authority: &self.certificate()?,
        };
        let made = bundle::make(&made, &self.inputs.password_from("-passout", source)?)?;
        let name = self.output.out.as_deref().unwrap_or("newcert.p12");
        let waiting = match (&self.output.outchan, name) {
            (None, name) if name != "-" => {
                Sink::private_file(self.interp, Target::new(KINDS, "-out", name))?
            }
            _ => Sink::Store(self.waiting()?),
        };
        let Sink::Store(waiting) = waiting else {
            return Err(Error::panic("tls::ca"));
        };
        outcome.put(ready(waiting, |sink| sink.put(&made))?);
        let summary = describe::summary(&certificate);
        outcome.info.put("certificate", summary);
        Ok(())
    }
}
