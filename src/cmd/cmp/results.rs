//! The files that the results of a client go to.

use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::X509;

use super::client::Options;
use super::inputs::{KINDS, Loader, filled, option_error};
use crate::cmd::library::Library;
use crate::cmd::sink::{Sink, Sinks, Target};
use crate::cmp::answers::Answers;
use crate::cmp::names;
use crate::cmp::outcome::Outcome;
use crate::error::{Error, Reason, Result};
use crate::ossl::secret::Secret;
use crate::tcl::Interp;

/// The files that results go to.
pub(super) struct Files {
    /// Options, names and what goes there.
    certificates: Vec<(&'static str, String, Kind)>,
    /// Whether certificates are written as DER.
    der: bool,
    /// Whether revocation lists are.
    list_der: bool,
    /// The root whose update is asked for.
    pub(super) old_root: Option<X509>,
    /// Where the certificate of who signs answers may be found.
    signers: Vec<X509>,
    /// What a general message asks.
    question: Option<String>,
    /// The password for the new key.
    key_password: Option<Secret>,
    /// The file for random bytes.
    random: Option<String>,
    /// The files for requests.
    pub(super) requests: Vec<String>,
    /// The files for answers.
    pub(super) answers: Vec<String>,
}

/// Which certificates a file gets.
#[derive(Clone, Copy)]
enum Kind {
    /// The new one.
    New,
    /// Its chain.
    Chain,
    /// Those of authorities.
    Authorities,
    /// The others.
    Extra,
    /// The new root.
    NewRoot,
    /// The new root by the old one.
    NewByOld,
    /// The old root by the new one.
    OldByNew,
    /// The revocation list.
    List,
    /// The template for requests.
    Template,
    /// What keys must be like.
    KeyKinds,
    /// That of who signed the last answer.
    Signer,
    /// The private key that the server made.
    Key,
}

/// What becomes of a file.
enum Content {
    /// It gets this.
    Public(Vec<u8>),
    /// It gets this, which only its owner may read.
    Private(Secret),
    /// It is removed: there is nothing now of which it could speak.
    Gone,
    /// It stays as it is.
    Untouched,
}

impl Files {
    /// The files that options name.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let (enrollment, checking) = (&options.enrollment, &options.checking);
        let form = |option: &str, value: Option<&String>, default| match filled(value)
            .map(str::to_ascii_uppercase)
            .as_deref()
        {
            None => Ok(default),
            Some("PEM") => Ok(false),
            Some("DER") => Ok(true),
            Some(form) => {
                let message = format!("bad {option} \"{form}\": must be PEM or DER");
                Err(option_error(option, message))
            }
        };
        let generic = &options.generic;
        let all = [
            ("-certout", &enrollment.certout, Kind::New),
            ("-chainout", &enrollment.chainout, Kind::Chain),
            ("-newkeyout", &enrollment.newkeyout, Kind::Key),
            ("-srvcertout", &checking.srvcertout, Kind::Signer),
            ("-cacertsout", &checking.cacertsout, Kind::Authorities),
            ("-extracertsout", &checking.extracertsout, Kind::Extra),
            ("-newwithnew", &checking.newwithnew, Kind::NewRoot),
            ("-newwithold", &checking.newwithold, Kind::NewByOld),
            ("-oldwithnew", &checking.oldwithnew, Kind::OldByNew),
            ("-crlout", &checking.crlout, Kind::List),
            ("-template", &generic.template, Kind::Template),
            ("-keyspec", &generic.keyspec, Kind::KeyKinds),
        ];
        let certificates = all.into_iter().filter_map(|(option, value, kind)| {
            Some((option, filled(value.as_ref())?.to_owned(), kind))
        });
        let names = |value: Option<&String>| {
            let names = names::items(filled(value).unwrap_or_default());
            names.map(str::to_owned).collect()
        };
        Ok(Self {
            certificates: certificates.collect(),
            der: form("-certform", options.own.certform.as_ref(), false)?,
            list_der: form("-crlform", options.own.crlform.as_ref(), true)?,
            old_root: None,
            signers: Vec::new(),
            question: filled(options.generic.infotype.as_ref()).map(str::to_owned),
            key_password: None,
            random: None,
            requests: names(
                options
                    .trial
                    .reqout_only
                    .as_ref()
                    .or(options.trial.reqout.as_ref()),
            ),
            answers: names(options.trial.rspout.as_ref()),
        })
    }

    /// Loads what is needed for the results.
    pub(super) fn load(&mut self, options: &Options, loader: &Loader<'_>) -> Result<()> {
        let (enrollment, checking) = (&options.enrollment, &options.checking);
        if filled(checking.srvcertout.as_ref()).is_some() {
            for (option, value) in [
                ("-srvcert", &checking.srvcert),
                ("-untrusted", &checking.untrusted),
                ("-trusted", &checking.trusted),
            ] {
                self.signers.extend(loader.list(option, value.as_ref())?);
            }
        }
        if filled(enrollment.newkeyout.as_ref()).is_some() {
            if enrollment.centralkeygen.is_none() {
                let message = "-newkeyout needs -centralkeygen: no key comes from the server";
                return Err(option_error("-newkeyout", message));
            }
            let password = enrollment.newkeypass.as_ref();
            self.key_password = loader.secret("-newkeypass", password)?;
        }
        Ok(())
    }

    /// Has random bytes written to a file.
    pub(super) fn random(&mut self, name: Option<String>) {
        self.random = name.filter(|name| !name.is_empty());
    }

    /// Writes the files. Of a transaction that failed there are the recorded messages only. Tells the names.
    pub(super) fn write(
        &self,
        interp: Interp<'_>,
        outcome: &Outcome,
        succeeded: bool,
    ) -> Result<Vec<String>> {
        let mut sinks = Sinks::default();
        let (mut names, mut gone) = (Vec::new(), Vec::new());
        let mut add = |option: &str, name: &str, content: &[u8]| {
            names.push(name.to_owned());
            sinks.add(interp, Target::new(KINDS, option, name), content)
        };
        for (name, message) in self.requests.iter().zip(&outcome.requests) {
            add("-reqout", name, message)?;
        }
        for (name, message) in self.answers.iter().zip(&outcome.taken) {
            add("-rspout", name, message)?;
        }
        if let Some(name) = &self.random {
            add("-writerand", name, &Library::random(KINDS)?)?;
        }
        if succeeded {
            let answers = Answers::read(&outcome.answers);
            answers.check_update(self.old_root.as_ref())?;
            for (option, name, kind) in &self.certificates {
                match self.content(outcome, &answers, *kind)? {
                    Content::Public(content) => {
                        names.push(name.clone());
                        sinks.add(interp, Target::new(KINDS, option, name), &content)?;
                    }
                    Content::Private(content) => {
                        names.push(name.clone());
                        let target = Target::new(KINDS, option, name);
                        let mut sink = Sink::private_file(interp, target)?;
                        sink.put(&content)?;
                        sinks.push(sink);
                    }
                    Content::Gone => gone.push(Target::new(KINDS, option, name)),
                    Content::Untouched => {}
                }
            }
            // One name for two results would lose one of them.
            for (index, (option, name, _)) in self.certificates.iter().enumerate() {
                if self.certificates[..index]
                    .iter()
                    .any(|(_, other, _)| other == name)
                {
                    let message = format!("\"{name}\" of {option} is written already");
                    return Err(option_error(option, message));
                }
            }
        }
        sinks.finish()?;
        for target in gone {
            target.remove(interp)?;
        }
        Ok(names)
    }

    /// What a file gets.
    fn content(&self, outcome: &Outcome, answers: &Answers, kind: Kind) -> Result<Content> {
        let lost = |_| Error::panic("tls::cmp");
        let encoded = |certificates: &[X509]| {
            // DER has room for one.
            let count = match self.der {
                true => 1,
                false => certificates.len(),
            };
            let encoded: std::result::Result<Vec<Vec<u8>>, _> = certificates
                .iter()
                .take(count)
                .map(|certificate| match self.der {
                    true => certificate.to_der(),
                    false => certificate.to_pem(),
                })
                .collect();
            encoded
                .map(|pieces| Content::Public(pieces.concat()))
                .map_err(lost)
        };
        // Whether this was asked, so that no answer is an answer.
        let asked = |question: &str| match self.question.as_deref() == Some(question) {
            true => Content::Gone,
            false => Content::Untouched,
        };
        let one = |certificate: Option<&X509>, otherwise: Content| match certificate {
            Some(certificate) => encoded(std::slice::from_ref(certificate)),
            None => Ok(otherwise),
        };
        let public = |content: &Option<Vec<u8>>| match content {
            Some(content) => Content::Public(content.clone()),
            None => Content::Untouched,
        };
        match kind {
            Kind::New => one(outcome.certificate.as_ref(), Content::Untouched),
            Kind::Chain => encoded(&outcome.chain),
            Kind::Authorities if outcome.authorities.is_empty() => encoded(&answers.authorities),
            Kind::Authorities => encoded(&outcome.authorities),
            Kind::Extra => encoded(&outcome.extra),
            Kind::NewRoot => one(answers.new_root.as_ref(), asked("rootCaCert")),
            Kind::NewByOld => one(answers.new_by_old.as_ref(), asked("rootCaCert")),
            Kind::OldByNew => one(answers.old_by_new.as_ref(), asked("rootCaCert")),
            Kind::Signer => one(outcome.signer(&self.signers), Content::Gone),
            Kind::List => match &answers.list {
                Some(list) => match self.list_der {
                    true => list.to_der(),
                    false => list.to_pem(),
                }
                .map(Content::Public)
                .map_err(lost),
                None => Ok(asked("crlStatusList")),
            },
            Kind::Template => Ok(public(&answers.template)),
            Kind::KeyKinds => Ok(public(&answers.key_kinds)),
            Kind::Key => match &outcome.key {
                Some(key) => self.protected(key).map(Content::Private),
                None => Err(Error::failed_with(
                    Reason::CmpRead,
                    ["-newkeyout"],
                    "the server has sent no key",
                )),
            },
        }
    }

    /// A private key as PEM text, encrypted where there is a password.
    fn protected(&self, key: &PKey<Private>) -> Result<Secret> {
        let text = match &self.key_password {
            Some(password) => {
                key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password)
            }
            None => key.private_key_to_pem_pkcs8(),
        };
        text.map(Secret::from).map_err(|_| Error::panic("tls::cmp"))
    }
}
