//! `tls::ca -sign`, `-xsign` and `-crl`: words of CA.pl that stand for other operations with usual files.

use super::inputs::option_error;
use super::table::{Operations, Place};
use super::words::Words;
use crate::ca::config::Config;
use crate::error::Result;
use crate::opts::groups::Output;
use crate::opts::options;
use crate::tcl::Obj;

options! {
    /// What stands for other operations.
    pub(super) struct Shortcuts, SHORTCUTS {
        sign: Flag = "-sign", Both, Command, "3.0", "off",
            "Sign the requests behind the options, or newreq.pem, by policy_anything; -out is newcert.pem";
        xsign: Flag = "-xsign", Both, Command, "3.0", "off",
            "The same, with the certificates as the command's result";
        crl: Flag = "-crl", Both, Command, "3.0", "off",
            "Make a revocation list; -out is crl of the configuration";
    }
}

impl Shortcuts<Obj> {
    /// Says the same in the words of `openssl ca`; what was said outright stays.
    pub(super) fn expand(
        &self,
        words: &mut Words,
        operations: &mut Operations<Obj>,
        output: &mut Output<Obj>,
        place: &mut Place<Obj>,
        config: &Config,
        delta: bool,
    ) -> Result<()> {
        /// The policy that takes everything.
        const ANYTHING: &str = "policy_anything";
        let signing = self.sign.is_some() || self.xsign.is_some();
        if signing && self.sign.is_some() && self.xsign.is_some() {
            let message = "only one of -sign and -xsign can be given";
            return Err(option_error("-xsign", message));
        }
        if signing {
            let given = operations.input.is_some()
                || operations.data.is_some()
                || operations.ss_cert.is_some()
                || operations.spkac.is_some();
            if !given && words.requests.is_empty() {
                words.requests.push("newreq.pem".to_owned());
            }
            if place.policy.is_none() && config.conf().section(ANYTHING).is_some() {
                place.policy = Some(ANYTHING.to_owned());
            }
        }
        if self.sign.is_some() && output.out.is_none() {
            output.out = Some("newcert.pem".to_owned());
        }
        if self.crl.is_some() {
            operations.gencrl = Some(());
            // A certificate or a delta list isn't for the complete list's file.
            if !signing && !delta && output.out.is_none() {
                output.out = config.value("crl");
            }
        }
        Ok(())
    }
}
