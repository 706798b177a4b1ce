//! Asking for a certificate, and certificates that sign themselves: what `openssl req` is for.

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::{X509, X509Extension, X509NameRef, X509Req};

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::conf::Conf;
use crate::ossl::x509_draft;
use crate::ossl::x509v3::{self, Context};
use crate::x509::der::{self, tag};
use crate::x509::time;

use super::authority::{Authority, unsigned};
use super::config;
use super::issue::bad_section;
use super::serial::Serial;

/// A section of a configuration that describes extensions.
pub(crate) struct Extensions<'a> {
    /// The configuration.
    pub(crate) conf: &'a Conf,
    /// The section.
    pub(crate) section: &'a str,
}

/// The section that [`inline`] puts everything in.
pub(crate) const INLINE: &str = "default";

/// The configuration of lines such as `subjectAltName=DNS:example.org`, one extension each and none twice.
pub(crate) fn inline(option: &str, lines: &[String]) -> Result<Conf> {
    let bad = |line: &str, why: &str| {
        let message = format!("bad extension \"{line}\": {why}");
        Error::failed_with(Reason::CaOption, [option, line], message)
    };
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        let name = name
            .filter(|name| !name.is_empty() && !line.contains('\n'))
            .ok_or_else(|| bad(line, "must be name=value"))?;
        if names.contains(&name) {
            return Err(bad(line, "there is another of its kind"));
        }
        names.push(name);
    }
    config::parse(lines.join("\n").as_bytes(), option)
}

/// A request for a certificate, signed by the key of `asker`. Where two sections have the same extension, the later counts.
pub(crate) fn request(
    asker: &Authority,
    subject: &X509NameRef,
    sections: &[Extensions<'_>],
) -> Result<X509Req> {
    let failed = |stack: ErrorStack| failed("request", &stack);
    let frame = || {
        let mut builder = X509Req::builder()?;
        builder.set_version(0)?;
        builder.set_subject_name(subject)?;
        builder.set_pubkey(&asker.key)?;
        Ok(builder)
    };
    let plain = frame().map_err(failed)?.build();
    let mut extensions: Vec<(Vec<u8>, X509Extension)> = Vec::new();
    for Extensions { conf, section } in sections {
        let parties = Context {
            request: Some(&plain),
            ..Context::default()
        };
        let made = x509v3::from_section(conf, section, parties)
            .map_err(|entries| bad_section(section, &entries))?;
        for extension in made {
            let kind = kind(&extension).map_err(failed)?;
            extensions.retain(|(other, _)| *other != kind);
            extensions.push((kind, extension));
        }
    }
    let mut builder = frame().map_err(failed)?;
    if !extensions.is_empty() {
        let mut stack = Stack::new().map_err(failed)?;
        for (_, extension) in extensions {
            stack.push(extension).map_err(failed)?;
        }
        builder.add_extensions(&stack).map_err(failed)?;
    }
    let request = builder.build();
    let signed = asker.signer().request(&request);
    signed.map_err(|refused| unsigned("request", &refused))?;
    Ok(request)
}

/// What tells an extension's kind: the DER of its object identifier.
fn kind(extension: &X509Extension) -> std::result::Result<Vec<u8>, ErrorStack> {
    let der = extension.to_der()?;
    let parts = der::one(&der).and_then(|whole| whole.open(tag::SEQUENCE));
    let first = parts.and_then(|parts| parts.first().map(|first| first.whole.to_vec()));
    Ok(first.unwrap_or_default())
}

/// What a certificate that signs itself is to be, apart from its key and its extensions.
pub(crate) struct Own<'a> {
    /// Its name.
    pub(crate) subject: &'a X509NameRef,
    /// Its serial number.
    pub(crate) serial: &'a Serial,
    /// When it begins, in seconds since 1970.
    pub(crate) start: i64,
    /// When it ends.
    pub(crate) end: i64,
}

/// A certificate that signs itself. Where two sections have the same extension, the later counts.
pub(crate) fn certificate(
    asker: &Authority,
    own: &Own<'_>,
    sections: &[Extensions<'_>],
) -> Result<X509> {
    let moment = |seconds| match time::asn1(seconds) {
        Ok(text) => Asn1Time::from_str(&text),
        Err(_) => Err(ErrorStack::get()),
    };
    let framed = BigNum::from_slice(own.serial.magnitude()).and_then(|number| {
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*Asn1Integer::from_bn(&number)?)?;
        builder.set_issuer_name(own.subject)?;
        builder.set_subject_name(own.subject)?;
        builder.set_not_before(&*moment(own.start)?)?;
        builder.set_not_after(&*moment(own.end)?)?;
        builder.set_pubkey(&asker.key)?;
        Ok(builder.build())
    });
    let certificate = framed.map_err(|stack| failed("certificate", &stack))?;
    for Extensions { conf, section } in sections {
        let parties = Context {
            issuer: Some(&certificate),
            subject: Some(&certificate),
            issuer_key: Some(&asker.key),
            ..Context::default()
        };
        x509_draft::add_to_certificate(conf, section, parties, &certificate)
            .map_err(|entries| bad_section(section, &entries))?;
    }
    for kind in ["subjectKeyIdentifier", "authorityKeyIdentifier"] {
        drop_empty(&certificate, kind).map_err(|stack| failed("certificate", &stack))?;
    }
    let signed = asker.signer().certificate(&certificate);
    signed.map_err(|refused| unsigned("certificate", &refused))?;
    Ok(certificate)
}

/// Takes away a key identifier that says nothing, which is what `none` becomes, or `keyid` where a key signs itself.
fn drop_empty(certificate: &X509, kind: &str) -> std::result::Result<(), ErrorStack> {
    let object = Asn1Object::from_str(kind)?;
    if let Some(place) = x509_draft::find(certificate, &object)
        && x509_draft::value_at(certificate, place).len() <= 2
    {
        x509_draft::remove(certificate, place);
    }
    Ok(())
}

/// The error for a failure of OpenSSL that no input explains.
fn failed(what: &str, stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    Error::failed(Reason::CaCreate, format!("can't make the {what}: {why}"))
}
