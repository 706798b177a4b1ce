//! A certificate up to its signature, and the signature: names by the policy, times, extensions, key identifiers.
//!
//! Knows no database: what a draft needs is in the profile, the configuration and the authority.

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Name, X509NameRef};

use super::{End, Issuer, bad_section, failed, validity_of};
use crate::ca::authority::unsigned;
use crate::ca::copying::{self, Asked};
use crate::ca::policy::{self, Attribute, Violation};
use crate::ca::request::{Applicant, same_key};
use crate::ca::serial::Serial;
use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::x509_draft;
use crate::ossl::x509v3::Context;
use crate::x509::{der, frame, oid, time};

/// A certificate that isn't signed yet.
pub(super) struct Draft {
    /// The certificate.
    pub(super) certificate: X509,
    /// Fields of the request that the policy drops, `type=value`.
    pub(super) dropped: Vec<String>,
    /// Extensions that the request asks for.
    pub(super) asked: Vec<Asked>,
    /// What the caller should know.
    pub(super) warnings: Vec<String>,
    /// When it ends.
    pub(super) end: i64,
}

impl Issuer<'_> {
    /// A certificate up to its signature.
    pub(super) fn draft(&self, applicant: &Applicant, serial: &Serial) -> Result<Draft> {
        let (profile, source) = (self.profile, &applicant.source);
        self.check_key(applicant)?;
        let given = profile
            .subject
            .as_deref()
            .unwrap_or_else(|| applicant.request.subject_name());
        let mut given = attributes(given)?;
        if profile.msie_hack {
            policy::mend_strings(&mut given);
        }
        let shown = |oid: &[u8]| oid::short_name(&frame::oid(oid));
        policy::check_strings(&given, !profile.email_in_dn, &shown)
            .map_err(|why| refused(&why, source))?;
        let own_name = match (&self.authority.certificate, profile.selfsign) {
            (Some(certificate), false) => attributes(certificate.subject_name())?,
            _ => given.clone(),
        };
        let verdict = policy::apply(&profile.fields, &given, &own_name)
            .map_err(|why| refused(&why, source))?;
        let shown = |attribute: &Attribute| {
            format!(
                "{}={}",
                shown(&attribute.oid),
                der::visible(&attribute.value)
            )
        };
        let (subject, dropped) = match profile.preserve {
            true => (given, Vec::new()),
            false => (
                verdict.kept,
                verdict.dropped.iter().map(shown).collect::<Vec<_>>(),
            ),
        };
        if profile.strict && !dropped.is_empty() {
            let violation = Violation {
                field: dropped[0].split('=').next().unwrap_or_default().to_owned(),
                wanted: "listed",
                message: format!(
                    "the policy doesn't speak of these fields of the request: {}",
                    dropped.join(", ")
                ),
            };
            return Err(refused(&violation, source));
        }
        let (start, end, mut warnings) = self.validity()?;
        let subject_name = name_of(&subject)?;
        let certificate = self.frame(applicant, &subject_name, serial, (start, end))?;
        self.add_extensions(&certificate)?;
        let asked = copying::copy(&certificate, applicant, profile.copying, &mut warnings)?;
        if !profile.email_in_dn {
            let without: Vec<Attribute> = subject
                .into_iter()
                .filter(|attribute| attribute.oid != policy::EMAIL)
                .collect();
            x509_draft::set_subject(&certificate, &*name_of(&without)?)
                .map_err(|stack| failed(&stack))?;
        }
        Ok(Draft {
            certificate,
            dropped,
            asked,
            warnings,
            end,
        })
    }

    /// Checks the applicant's key.
    fn check_key(&self, applicant: &Applicant) -> Result<()> {
        let source = &applicant.source;
        if self.profile.selfsign && !same_key(&applicant.key, &self.authority.key) {
            return Err(Error::failed_with(
                Reason::CaVerify,
                [source],
                format!("\"{source}\" isn't signed by the key that is to sign it"),
            ));
        }
        let bits = applicant.key.security_bits();
        if bits < self.profile.least_bits {
            return Err(Error::failed_with(
                Reason::CaPolicy,
                ["key", &bits.to_string()],
                format!(
                    "the key of \"{source}\" is too weak: {bits} bits of security, {} are wanted",
                    self.profile.least_bits
                ),
            ));
        }
        Ok(())
    }

    /// When the certificate begins and ends, and what there is to say about that.
    fn validity(&self) -> Result<(i64, i64, Vec<String>)> {
        let wrong =
            |option: &str, why: String| Err(Error::failed_with(Reason::CaOption, [option], why));
        let start = self.profile.start.unwrap_or(self.now);
        let (mut end, fixed) = match self.profile.end {
            End::At(end) => (end, true),
            End::Days(days) => (start.saturating_add(days.saturating_mul(86_400)), false),
        };
        if end <= start {
            return wrong(
                "-enddate",
                format!(
                    "the certificate would end before it begins: {}",
                    time::text(end)
                ),
            );
        }
        if end <= self.now {
            return wrong(
                "-enddate",
                format!(
                    "the certificate would have ended already: {}",
                    time::text(end)
                ),
            );
        }
        let mut warnings = Vec::new();
        if let (Some(certificate), false) = (&self.authority.certificate, self.profile.selfsign) {
            let (_, own_end) = validity_of(certificate)?;
            if own_end <= self.now {
                return Err(Error::failed(
                    Reason::CaVerify,
                    format!(
                        "the authority's certificate has ended: {}",
                        time::text(own_end)
                    ),
                ));
            }
            if end > own_end && start >= own_end {
                return wrong(
                    "-startdate",
                    "the certificate would begin after the authority's has ended".to_owned(),
                );
            }
            if end > own_end && fixed {
                return wrong(
                    "-enddate",
                    format!(
                        "the certificate would outlive the authority's, which ends {}",
                        time::text(own_end)
                    ),
                );
            }
            if end > own_end {
                warnings.push(
                    "the certificate ends with the authority's, which is earlier than asked"
                        .to_owned(),
                );
                end = own_end;
            }
        }
        Ok((start, end, warnings))
    }

    /// The certificate without its extensions.
    fn frame(
        &self,
        applicant: &Applicant,
        subject: &X509NameRef,
        serial: &Serial,
        (start, end): (i64, i64),
    ) -> Result<X509> {
        let number =
            BigNum::from_slice(serial.magnitude()).and_then(|number| Asn1Integer::from_bn(&number));
        let issuer = match (&self.authority.certificate, self.profile.selfsign) {
            (Some(certificate), false) => certificate.subject_name(),
            _ => subject,
        };
        let made = number.and_then(|number| {
            let mut builder = X509::builder()?;
            builder.set_version(0)?;
            builder.set_serial_number(&number)?;
            builder.set_issuer_name(issuer)?;
            builder.set_not_before(&*asn1_time(start)?)?;
            builder.set_not_after(&*asn1_time(end)?)?;
            builder.set_subject_name(subject)?;
            if self.signs_itself(applicant) {
                builder.set_pubkey(&applicant.key)?;
                return Ok(builder.build());
            }
            let certificate = builder.build();
            x509_draft::copy_key(&applicant.request, &certificate)?;
            Ok(certificate)
        });
        made.map_err(|stack| failed(&stack))
    }

    /// Whether the applicant's key is the authority's.
    fn signs_itself(&self, applicant: &Applicant) -> bool {
        same_key(&applicant.key, &self.authority.key)
    }

    /// Who signs: the authority, or the certificate itself.
    fn issuer_of<'b>(&'b self, certificate: &'b X509) -> &'b X509 {
        match (&self.authority.certificate, self.profile.selfsign) {
            (Some(issuer), false) => issuer,
            _ => certificate,
        }
    }

    /// Adds the extensions of the profile.
    fn add_extensions(&self, certificate: &X509) -> Result<()> {
        let Some(section) = &self.profile.section else {
            return Ok(());
        };
        let conf = match &self.profile.extension_file {
            Some(conf) => conf,
            None => self.config.conf(),
        };
        let parties = Context {
            issuer: Some(self.issuer_of(certificate)),
            subject: Some(certificate),
            ..Context::default()
        };
        x509_draft::add_to_certificate(conf, section, parties, certificate)
            .map_err(|entries| bad_section(section, &entries))
    }

    /// Adds the key identifiers that a version 3 certificate should have, and signs.
    pub(super) fn sign(&self, applicant: &Applicant, certificate: &X509) -> Result<()> {
        let own_key = self.signs_itself(applicant);
        if x509_draft::count(certificate) > 0 || always_version_3() {
            x509_draft::set_version(certificate, 2).map_err(|stack| failed(&stack))?;
            self.adapt_key_id(certificate, "subjectKeyIdentifier", "hash", true)?;
            self.adapt_key_id(
                certificate,
                "authorityKeyIdentifier",
                "keyid, issuer",
                !own_key,
            )?;
        }
        let signed = self.authority.signer().certificate(certificate);
        signed.map_err(|refused| unsigned("certificate", &refused))
    }

    /// Adds a key identifier if there is none and `add` says so; takes away one that says "none".
    fn adapt_key_id(&self, certificate: &X509, kind: &str, value: &str, add: bool) -> Result<()> {
        let object = Asn1Object::from_str(kind).map_err(|stack| failed(&stack))?;
        if let Some(place) = x509_draft::find(certificate, &object) {
            // An empty SEQUENCE or OCTET STRING stands for "none".
            if x509_draft::value_at(certificate, place).len() <= 2 {
                x509_draft::remove(certificate, place);
            }
            return Ok(());
        }
        if !add {
            return Ok(());
        }
        let parties = Context {
            issuer: Some(self.issuer_of(certificate)),
            subject: Some(certificate),
            issuer_key: Some(&self.authority.key),
            ..Context::default()
        };
        let made = x509_draft::extension(kind, value, parties)
            .map_err(|entries| Error::failed(Reason::CaCreate, reasons_text(&entries)))?;
        x509_draft::append(certificate, &made).map_err(|stack| failed(&stack))
    }
}

/// Whether a certificate without extensions becomes one of version 3 as well: the program of OpenSSL 3.2 and later gives
/// key identifiers to every certificate.
fn always_version_3() -> bool {
    openssl::version::number() >= 0x3020_0000
}

/// The attributes of a name.
fn attributes(name: &X509NameRef) -> Result<Vec<Attribute>> {
    let der = name.to_der().map_err(|stack| failed(&stack))?;
    policy::attributes(&der)
        .ok_or_else(|| Error::failed(Reason::CaRead, "a name that can't be read"))
}

/// The name of these attributes.
fn name_of(attributes: &[Attribute]) -> Result<X509Name> {
    X509Name::from_der(&policy::name(attributes)).map_err(|stack| failed(&stack))
}

/// A time as OpenSSL has it.
fn asn1_time(seconds: i64) -> std::result::Result<Asn1Time, ErrorStack> {
    match time::asn1(seconds) {
        Ok(text) => Asn1Time::from_str(&text),
        Err(_) => Err(ErrorStack::get()),
    }
}

/// The error for a refusal of the policy.
fn refused(why: &Violation, source: &str) -> Error {
    let message = format!("\"{source}\": {}", why.message);
    Error::failed_with(Reason::CaPolicy, [&why.field, why.wanted], message)
}
