//! `tls::ca -sign`, `-signCA`, `-signcert`, `-xsign` and `-crl`: words of CA.pl that stand for other operations with
//! usual files.

use super::inputs::option_error;
use super::options::{Making, Operations, Place};
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
        sign_ca: Flag = "-signCA", Both, Command, "3.0", "off",
            "The same for an authority below this one: -extensions is v3_ca";
        signcert: Flag = "-signcert", Both, Command, "3.0", "off",
            "The same for a certificate that signs itself";
        xsign: Flag = "-xsign", Both, Command, "3.0", "off",
            "The same as -sign, with the certificates as the command's result";
        crl: Flag = "-crl", Both, Command, "3.0", "off",
            "Make a revocation list; -out is crl of the configuration";
    }
}

impl Shortcuts<Obj> {
    /// Says the same in the words of `openssl ca`; what was said outright stays.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a group of options that a word may fill in"
    )]
    pub(super) fn expand(
        &self,
        words: &mut Words,
        operations: &mut Operations<Obj>,
        output: &mut Output<Obj>,
        place: &mut Place<Obj>,
        making: &mut Making<Obj>,
        config: &Config,
        delta: bool,
    ) -> Result<()> {
        /// The policy that takes everything.
        const ANYTHING: &str = "policy_anything";
        /// The request of a new key.
        const REQUEST: &str = "newreq.pem";
        let all = [
            ("-sign", self.sign),
            ("-signCA", self.sign_ca),
            ("-signcert", self.signcert),
            ("-xsign", self.xsign),
        ];
        let given: Vec<&str> = all
            .iter()
            .filter_map(|(word, given)| given.map(|()| *word))
            .collect();
        if let [first, .., last] = given.as_slice() {
            let message = format!("only one of {first} and {last} can be given");
            return Err(option_error(last, message));
        }
        let signing = !given.is_empty();
        if signing {
            let given = operations.input.is_some()
                || operations.data.is_some()
                || operations.ss_cert.is_some()
                || operations.spkac.is_some();
            if !given && words.requests.is_empty() {
                match self.signcert {
                    Some(()) => operations.ss_cert = Some(REQUEST.to_owned()),
                    None => words.requests.push(REQUEST.to_owned()),
                }
            }
            if place.policy.is_none() && config.conf().section(ANYTHING).is_some() {
                place.policy = Some(ANYTHING.to_owned());
            }
        }
        if self.signcert.is_some() {
            // A certificate behind the options is the one that is meant.
            if operations.ss_cert.is_none() && words.requests.len() == 1 {
                operations.ss_cert = words.requests.pop();
            }
            if operations.ss_cert.is_none() || !words.requests.is_empty() {
                let message = "-signcert takes one certificate";
                return Err(option_error("-signcert", message));
            }
        }
        if self.sign_ca.is_some() && making.extensions.is_none() && making.extfile.is_none() {
            making.extensions = Some("v3_ca".to_owned());
        }
        if signing && self.xsign.is_none() && output.out.is_none() && output.outchan.is_none() {
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
