//! From the options of `tls::cmp` to a client's settings.

use openssl::bn::BigNum;
use openssl::x509::{X509, X509Name};

use super::inputs::{
    Loader, distinguished_name, filled, option_error, small, wanted_extensions, within,
};
use super::table::{Checking, Enrollment, Generic, Own, Transfer, Trial};
use super::words::Words;
use crate::cmd::pki::is_uri;
use crate::cmp::settings::{Command, Credentials, NewKey, Settings, Wish};
use crate::cmp::{answers, names};
use crate::error::{Error, Reason, Result};
use crate::tcl::Obj;
use crate::x509::{Problem, load, make};

/// The options that shape a request.
pub(super) struct Options {
    /// What is done.
    pub(super) generic: Generic<Obj>,
    /// What is asked for.
    pub(super) enrollment: Enrollment<Obj>,
    /// The way to the server.
    pub(super) transfer: Transfer<Obj>,
    /// How the server is known.
    pub(super) checking: Checking<Obj>,
    /// How the client is known.
    pub(super) own: Own<Obj>,
    /// For trying out.
    pub(super) trial: Trial<Obj>,
}

impl Options {
    /// Takes the options out of the words.
    pub(super) fn read(words: &Words) -> Result<Self> {
        let given = &words.given;
        Ok(Self {
            generic: Generic::read(given)?,
            enrollment: Enrollment::read(given)?,
            transfer: Transfer::read(given)?,
            checking: Checking::read(given)?,
            own: Own::read(given)?,
            trial: Trial::read(given)?,
        })
    }

    /// What is asked of the server.
    pub(super) fn command(&self) -> Result<Command> {
        let Some(word) = filled(self.generic.cmd.as_ref()) else {
            return Err(option_error(
                "-cmd",
                "nothing to do: give -cmd with ir, cr, kur, p10cr, rr, or genm",
            ));
        };
        Command::parse(word).ok_or_else(|| {
            let message =
                format!("bad command \"{word}\": must be ir, cr, kur, p10cr, rr, or genm");
            option_error("-cmd", message)
        })
    }

    /// The settings.
    pub(super) fn settings(&self, words: &Words, loader: &Loader<'_>) -> Result<Settings> {
        let command = self.command()?;
        let wish = self.wish(command, words, loader)?;
        let (transfer, checking, own) = (&self.transfer, &self.checking, &self.own);
        let credentials = self.credentials(loader)?;
        self.check(command, &credentials, &wish)?;
        let mut information = Vec::new();
        if let Some(text) = filled(self.generic.geninfo.as_ref()) {
            let pieces = names::general_information(text);
            information.extend(pieces.map_err(|problem| bad("-geninfo", &problem))?);
        }
        if let Some(name) = filled(self.generic.profile.as_ref()) {
            information.push(names::profile(name));
        }
        let server = loader.others_certificate("-srvcert", checking.srvcert.as_ref())?;
        // The program ignores -recipient where the server's certificate is known.
        let recipient = match server.is_some() {
            true => None,
            false => distinguished_name("-recipient", transfer.recipient.as_ref())?,
        };
        Ok(Settings {
            command,
            own_trusted: match credentials.certificate.is_some() {
                true => loader.trusted("-own_trusted", own.own_trusted.as_ref(), false)?,
                false => None,
            },
            extra: loader.list("-extracerts", own.extracerts.as_ref())?,
            server,
            expected_sender: distinguished_name("-expect_sender", checking.expect_sender.as_ref())?,
            recipient,
            old_root: loader.others_certificate("-oldwithold", checking.oldwithold.as_ref())?,
            information,
            total_timeout: within("-total_timeout", transfer.total_timeout, 0, i64::MAX)?
                .map_or(0, i64::unsigned_abs),
            verbosity: small("-verbosity", self.generic.verbosity, 0, 8)?.unwrap_or(6),
            repeat: within("-repeat", self.trial.repeat, 1, i64::MAX)?.map_or(1, i64::unsigned_abs),
            credentials,
            wish,
        })
    }

    /// Refuses what can't work.
    fn check(&self, command: Command, credentials: &Credentials, wish: &Wish) -> Result<()> {
        let own = &self.own;
        let refuse = |option: &str, message: &str| Err(option_error(option, message));
        let has_certificate = credentials.certificate.is_some();
        if credentials.reference.is_none()
            && !has_certificate
            && wish.subject.is_none()
            && wish.old.is_none()
        {
            return refuse(
                "-ref",
                "without -cert, -oldcert and -subject there must be -ref",
            );
        }
        if credentials.secret.is_none() && has_certificate != credentials.key.is_some() {
            return refuse("-key", "-cert and -key must be given together");
        }
        let unprotected = own.unprotected_requests.is_some();
        if credentials.secret.is_none() && credentials.key.is_none() && !unprotected {
            let message = "requests can't be protected: give -secret, -cert and -key, or -unprotected_requests";
            return refuse("-secret", message);
        }
        let reference = wish.old.is_some() || has_certificate;
        match command {
            Command::P10cr if wish.request.is_none() => refuse("-csr", "p10cr needs -csr"),
            Command::Kur if !reference && wish.request.is_none() => {
                refuse("-oldcert", "kur needs -oldcert, -cert or -csr")
            }
            Command::Rr if wish.old.is_none() && wish.request.is_none() => {
                refuse("-oldcert", "rr needs -oldcert or -csr")
            }
            Command::Ir | Command::Cr | Command::Kur
                if wish.key.is_none()
                    && wish.request.is_none()
                    && credentials.key.is_none()
                    && !wish.central =>
            {
                refuse(
                    "-newkey",
                    "there is no key to be certified: give -newkey, -csr or -key",
                )
            }
            _ => Ok(()),
        }
    }

    /// How requests are protected and answers are checked.
    fn credentials(&self, loader: &Loader<'_>) -> Result<Credentials> {
        let (own, checking) = (&self.own, &self.checking);
        let password = Loader::pass("-keypass", own.keypass.as_ref());
        let found = loader.certificate("-cert", own.cert.as_ref(), password)?;
        let (certificate, chain) = match found {
            Some((certificate, chain)) => (Some(certificate), chain),
            None => (None, Vec::new()),
        };
        // The program ignores -trusted where the server's certificate is known.
        let trusted = match filled(checking.srvcert.as_ref()) {
            Some(_) => None,
            None => loader.trusted("-trusted", checking.trusted.as_ref(), false)?,
        };
        Ok(Credentials {
            properties: loader.library.properties()?,
            reference: filled(own.reference.as_ref()).map(str::to_owned),
            secret: loader.secret("-secret", own.secret.as_ref())?,
            certificate,
            chain,
            key: loader.key("-key", own.key.as_ref(), password)?,
            digest: filled(own.digest.as_ref()).map(str::to_owned),
            mac: filled(own.mac.as_ref()).map(str::to_owned),
            trusted,
            untrusted: loader.list("-untrusted", checking.untrusted.as_ref())?,
            unprotected: own.unprotected_requests.is_some(),
            unprotected_errors: checking.unprotected_errors.is_some(),
            forgets: match checking.no_cache_extracerts {
                Some(_) => needs("-no_cache_extracerts", "3.3", 0x3030_0000)?,
                None => false,
            },
            ignore_key_usage: checking.ignore_keyusage.is_some(),
        })
    }

    /// What is asked for.
    fn wish(&self, command: Command, words: &Words, loader: &Loader<'_>) -> Result<Wish> {
        let asked = &self.enrollment;
        let reason = small("-revreason", asked.revreason, -1, 10)?;
        if reason == Some(7) {
            return Err(option_error(
                "-revreason",
                "-revreason 7 stands for nothing",
            ));
        }
        let both = [&asked.policies, &asked.policy_oids];
        if both.iter().all(|option| filled(option.as_ref()).is_some()) {
            let message = "-policies and -policy_oids can't be given together";
            return Err(option_error("-policies", message));
        }
        let mut wish = Wish {
            subject: distinguished_name("-subject", asked.subject.as_ref())?,
            issuer: distinguished_name("-issuer", asked.issuer.as_ref())?,
            days: small("-days", asked.days, 0, i64::MAX)?.filter(|days| *days > 0),
            no_default_names: asked.san_nodefault.is_some(),
            policies_critical: asked.policy_oids_critical.is_some(),
            popo: small("-popo", asked.popo, -1, 2)?,
            reason: reason.filter(|reason| *reason >= 0),
            implicit_confirmation: asked.implicit_confirm.is_some(),
            no_confirmation: asked.disable_confirm.is_some(),
            out_trusted: loader.trusted("-out_trusted", asked.out_trusted.as_ref(), true)?,
            ..Wish::default()
        };
        if command != Command::Genm {
            let password = Loader::pass("-keypass", self.own.keypass.as_ref());
            let old = loader.certificate("-oldcert", asked.oldcert.as_ref(), password)?;
            wish.old = match command {
                Command::Rr => self.recalled(wish.issuer.as_ref())?,
                _ => None,
            };
            if wish.old.is_none() {
                wish.old = old.map(|(certificate, _)| certificate);
            }
            wish.request = loader.request(asked.csr.as_ref())?;
        }
        if command.is_crmf() {
            wish.key = self.new_key(loader)?;
            self.let_server_make_key(&mut wish)?;
            let sections = [
                ("-reqexts", asked.reqexts.as_ref()),
                ("-policies", asked.policies.as_ref()),
            ];
            wish.extensions = wanted_extensions(words, &sections, wish.request.as_ref())?;
        }
        for item in names::items(filled(asked.sans.as_ref()).unwrap_or_default()) {
            match item {
                "critical" => wish.names_critical = true,
                item => {
                    let name = names::alternative_name(item);
                    wish.names
                        .push(name.map_err(|problem| bad("-sans", &problem))?);
                }
            }
        }
        for item in names::items(filled(asked.policy_oids.as_ref()).unwrap_or_default()) {
            let policy = names::policy(item).map_err(|problem| bad("-policy_oids", &problem))?;
            wish.policies.push(policy);
        }
        if command == Command::Genm
            && let Some(name) = filled(self.generic.infotype.as_ref())
        {
            let kind = names::info_type(name).map_err(|problem| bad("-infotype", &problem))?;
            let value = self.question(name, loader)?;
            wish.questions.push(names::Information { kind, value });
        }
        Ok(wish)
    }

    /// What a question says besides its type.
    fn question(&self, name: &str, loader: &Loader<'_>) -> Result<Option<Vec<u8>>> {
        let checking = &self.checking;
        match name {
            "rootCaCert" => {
                let old = checking.oldwithold.as_ref();
                let old = loader.others_certificate("-oldwithold", old)?;
                let question = old.map(|old| answers::root_question(&old)).transpose();
                question.map_err(|problem| bad("-oldwithold", &problem))
            }
            "crlStatusList" => {
                let certificate =
                    loader.others_certificate("-crlcert", checking.crlcert.as_ref())?;
                let old = loader.list_of_revocations("-oldcrl", checking.oldcrl.as_ref())?;
                let question = answers::list_question(certificate.as_ref(), old.as_ref());
                question
                    .map(Some)
                    .map_err(|problem| bad("-crlcert", &problem))
            }
            _ => Ok(None),
        }
    }

    /// The certificate that `-issuer` and `-serial` speak of.
    fn recalled(&self, issuer: Option<&X509Name>) -> Result<Option<X509>> {
        let Some(text) = filled(self.enrollment.serial.as_ref()) else {
            return Ok(None);
        };
        let issuer = issuer.ok_or_else(|| option_error("-serial", "-serial needs -issuer"))?;
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => BigNum::from_hex_str(digits),
            None => BigNum::from_dec_str(text),
        };
        let refused = |_| option_error("-serial", format!("\"{text}\" isn't a serial number"));
        let number = number.and_then(|number| number.to_asn1_integer());
        let number = number.map_err(refused)?;
        make::stand_in(issuer, &number)
            .map(Some)
            .map_err(|problem| bad("-serial", &problem))
    }

    /// Wants the key made by the server, if that is asked for.
    fn let_server_make_key(&self, wish: &mut Wish) -> Result<()> {
        let asked = &self.enrollment;
        if asked.centralkeygen.is_none() {
            return Ok(());
        }
        let refuse = |message: &str| Err(option_error("-centralkeygen", message));
        if wish.key.is_some() {
            return refuse("-centralkeygen and -newkey can't be given together");
        }
        if wish.popo.is_some_and(|popo| popo >= 0) {
            return refuse("with -centralkeygen there is nothing to prove: -popo must be -1");
        }
        if filled(asked.newkeyout.as_ref()).is_none() {
            return refuse("-centralkeygen needs -newkeyout, a file for the key");
        }
        wish.central = needs("-centralkeygen", "3.5", 0x3050_0000)?;
        wish.popo = Some(-1);
        Ok(())
    }

    /// The key to be certified: a private one, or else a public one.
    fn new_key(&self, loader: &Loader<'_>) -> Result<Option<NewKey>> {
        let Some(value) = filled(self.enrollment.newkey.as_ref()) else {
            return Ok(None);
        };
        // What a store or an engine keeps is a private key.
        if !is_uri(value) {
            let content = loader.inputs.content("-newkey", value)?;
            if let Ok(key) = load::public_key(&content) {
                return Ok(Some(NewKey::Public(key)));
            }
        }
        let password = Loader::pass("-newkeypass", self.enrollment.newkeypass.as_ref());
        let key = loader.key("-newkey", self.enrollment.newkey.as_ref(), password)?;
        Ok(key.map(NewKey::Private))
    }
}

/// Makes sure that the library is recent enough for an option; always true.
fn needs(option: &str, release: &str, number: i64) -> Result<bool> {
    match openssl::version::number() >= number {
        true => Ok(true),
        false => {
            let version = openssl::version::version();
            let message = format!("{version} doesn't know {option}; {release} and later do");
            Err(option_error(option, message))
        }
    }
}

/// The error for a value that isn't what it should be.
fn bad(option: &str, problem: &Problem) -> Error {
    Error::failed_with(Reason::CmpOption, [option], problem.to_string())
}
