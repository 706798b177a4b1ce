//! What the well-known extensions say, as lists of words.
//!
//! Each function takes the DER of an extension's value; `None` means that it is malformed. Nothing here is an error:
//! the values come from strangers. Words and spellings are those that TclTLS 2 shows.

use std::net::{Ipv4Addr, Ipv6Addr};

use openssl::x509::X509Name;

use super::der::{self, Element, tag};
use super::frame::{self, Extension};
use super::{name, oid};

/// The object identifiers of the extensions that are read here.
pub(crate) mod id {
    /// subjectKeyIdentifier.
    pub(crate) const SUBJECT_KEY: &str = "2.5.29.14";
    /// keyUsage.
    pub(crate) const KEY_USAGE: &str = "2.5.29.15";
    /// subjectAltName.
    pub(crate) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
    /// issuerAltName.
    pub(crate) const ISSUER_ALT_NAME: &str = "2.5.29.18";
    /// basicConstraints.
    pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";

    /// cRLDistributionPoints.
    pub(crate) const CRL_POINTS: &str = "2.5.29.31";
    /// authorityKeyIdentifier.
    pub(crate) const AUTHORITY_KEY: &str = "2.5.29.35";
    /// extKeyUsage.
    pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
    /// authorityInfoAccess.
    pub(crate) const AUTHORITY_INFO: &str = "1.3.6.1.5.5.7.1.1";
}

/// The ways to reach an authority: OCSP.
const OCSP: &str = "1.3.6.1.5.5.7.48.1";
/// The ways to reach an authority: the certificates of the issuer.
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// The names of the bits of keyUsage.
const KEY_USAGES: [&str; 9] = [
    "Digital Signature",
    "Non-Repudiation",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Signing",
    "CRL Signing",
    "Encipher Only",
    "Decipher Only",
];

/// The extended key usages with a spelling of their own; all others have OpenSSL's long name.
const EXTENDED_KEY_USAGES: &[(&str, &str)] = &[
    ("1.3.6.1.5.5.7.3.1", "TLS Web Server Authentication"),
    ("1.3.6.1.5.5.7.3.2", "TLS Web Client Authentication"),
    ("1.3.6.1.5.5.7.3.3", "Code Signing"),
    ("1.3.6.1.5.5.7.3.4", "E-mail Protection"),
    ("1.3.6.1.5.5.7.3.8", "Time Stamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSP Signing"),
    ("1.3.6.1.5.5.7.3.10", "DVCS"),
    ("1.3.6.1.4.1.311.10.3.3", "SGC"),
    ("2.16.840.1.113730.4.1", "SGC"),
    ("2.5.29.37.0", "Any Extended Key Usage"),
];

/// A look-up in a list of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup<T> {
    /// It isn't there.
    Absent,
    /// It is there more than once, or its value is malformed.
    Malformed,
    /// What it says.
    Value(T),
}

impl<T: Default> Lookup<T> {
    /// The value, or the empty one.
    pub(crate) fn or_default(self) -> T {
        match self {
            Self::Value(value) => value,
            Self::Absent | Self::Malformed => T::default(),
        }
    }
}

/// Looks an extension up and reads it.
pub(crate) fn look_up<'a, T>(
    extensions: &[Extension<'a>],
    oid: &str,
    read: impl FnOnce(&'a [u8]) -> Option<T>,
) -> Lookup<T> {
    let mut found = extensions.iter().filter(|extension| extension.oid == oid);
    match (found.next(), found.next()) {
        (None, _) => Lookup::Absent,
        (Some(_), Some(_)) => Lookup::Malformed,
        (Some(extension), None) => match read(extension.value) {
            Some(value) => Lookup::Value(value),
            None => Lookup::Malformed,
        },
    }
}

/// What a key may be used for.
pub(crate) fn key_usage(value: &[u8]) -> Option<Vec<String>> {
    let content = der::one(value)?.expect(tag::BIT_STRING)?;
    let bits = frame::bits(content);
    let is_set = |index: usize| {
        bits.get(index / 8)
            .is_some_and(|byte| byte & (0x80 >> (index % 8)) != 0)
    };
    let names = KEY_USAGES.iter().enumerate();
    Some(
        names
            .filter(|(index, _)| is_set(*index))
            .map(|(_, name)| (*name).to_owned())
            .collect(),
    )
}

/// What else a key may be used for.
pub(crate) fn extended_key_usage(value: &[u8]) -> Option<Vec<String>> {
    let usages = der::one(value)?.open(tag::SEQUENCE)?;
    usages
        .into_iter()
        .map(|usage| {
            let oid = frame::oid(usage.expect(tag::OID)?);
            let known = EXTENDED_KEY_USAGES.iter().find(|(known, _)| *known == oid);
            Some(known.map_or_else(|| oid::long_name(&oid), |(_, name)| (*name).to_owned()))
        })
        .collect()
}

/// Whether the subject is an authority, and how many authorities may follow it; -1 for no limit.
pub(crate) fn basic_constraints(value: &[u8]) -> Option<(bool, i64)> {
    let mut parts = der::one(value)?.open(tag::SEQUENCE)?.into_iter().peekable();
    let flag = parts.next_if(|part| part.tag == tag::BOOLEAN);
    let authority = flag.is_some_and(|flag| flag.content.iter().any(|byte| *byte != 0));
    let limit = match parts.next() {
        Some(part) => der::integer(part.expect(tag::INTEGER)?)?,
        None => -1,
    };
    Some((authority, limit.max(-1)))
}

/// A subject's key identifier in hexadecimal.
pub(crate) fn subject_key(value: &[u8]) -> Option<String> {
    der::one(value)?.expect(tag::OCTET_STRING).map(der::hex)
}

/// An authority's key identifier in hexadecimal; empty if the extension names the key in another way.
pub(crate) fn authority_key(value: &[u8]) -> Option<String> {
    let parts = der::one(value)?.open(tag::SEQUENCE)?;
    let id = parts.iter().find(|part| part.tag == tag::context(0));
    Some(id.map(|part| der::hex(part.content)).unwrap_or_default())
}

/// The addresses of revocation lists: URIs, and other names as [`general_names`] writes them.
pub(crate) fn crl_points(value: &[u8]) -> Option<Vec<String>> {
    let points = der::one(value)?.open(tag::SEQUENCE)?;
    let mut all = Vec::new();
    for point in points {
        for part in point.open(tag::SEQUENCE)? {
            if part.tag == tag::constructed(0) {
                all.extend(point_name(part.content)?);
            }
        }
    }
    Some(all)
}

/// A DistributionPointName: full names, or one relative to the issuer's.
fn point_name(content: &[u8]) -> Option<Vec<String>> {
    let choice = der::one(content)?;
    match choice.tag {
        full if full == tag::constructed(0) => {
            let names = der::elements(choice.content)?;
            names.into_iter().map(address).collect()
        }
        relative if relative == tag::constructed(1) => {
            let name = der::wrap(tag::SEQUENCE, &der::wrap(tag::SET, choice.content));
            Some(vec![directory_name(&name)])
        }
        _ => None,
    }
}

/// Where an authority can be reached: its OCSP responders, and the certificates of the issuer.
pub(crate) fn authority_info(value: &[u8]) -> Option<(Vec<String>, Vec<String>)> {
    let ways = der::one(value)?.open(tag::SEQUENCE)?;
    let (mut ocsp, mut issuers) = (Vec::new(), Vec::new());
    for way in ways {
        let parts = way.open(tag::SEQUENCE)?;
        let [method, location] = <[Element<'_>; 2]>::try_from(parts).ok()?;
        match frame::oid(method.expect(tag::OID)?).as_str() {
            OCSP => ocsp.push(address(location)?),
            CA_ISSUERS => issuers.push(address(location)?),
            _ => {}
        }
    }
    Some((ocsp, issuers))
}

/// Alternative names, each with its kind in front: `DNS:x`, `IP Address:1.2.3.4`.
///
/// What should be ASCII is shown as [`der::visible`] does it, so that no null byte hides. IPv6 addresses have all
/// their parts, as OpenSSL prints them, directory names are in the form of RFC 2253.
pub(crate) fn general_names(value: &[u8]) -> Option<Vec<String>> {
    let names = der::one(value)?.open(tag::SEQUENCE)?;
    names.into_iter().map(general_name).collect()
}

/// A name that should be a URI: alone if it is one, else with its kind in front.
fn address(part: Element<'_>) -> Option<String> {
    match part.tag {
        uri if uri == tag::context(6) => Some(der::visible(part.content)),
        _ => general_name(part),
    }
}

/// One alternative name.
fn general_name(part: Element<'_>) -> Option<String> {
    let content = part.content;
    let hex = || format!("#{}", der::hex_upper(content));
    let text = match part.tag {
        0xa0 => format!("othername:{}", other_name(content).unwrap_or_else(hex)),
        0x81 => format!("email:{}", der::visible(content)),
        0x82 => format!("DNS:{}", der::visible(content)),
        0xa3 => format!("X400Name:{}", hex()),
        0xa4 => format!("DirName:{}", directory_name(content)),
        0xa5 => format!("EdiPartyName:{}", hex()),
        0x86 => format!("URI:{}", der::visible(content)),
        0x87 => format!("IP Address:{}", ip_address(content).unwrap_or_else(hex)),
        0x88 => format!("Registered ID:{}", oid::long_name(&frame::oid(content))),
        _ => return None,
    };
    Some(text)
}

/// A directory name in RFC 2253's form.
fn directory_name(der: &[u8]) -> String {
    match X509Name::from_der(der) {
        Ok(name) => name::rfc_2253(&name),
        Err(_) => format!("#{}", der::hex_upper(der)),
    }
}

/// An IP address as OpenSSL prints it.
fn ip_address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    let parts = Ipv6Addr::from(bytes)
        .segments()
        .map(|part| format!("{part:X}"));
    Some(parts.join(":"))
}

/// A name of a kind of its own: object identifier, `;`, and text or the hexadecimal of its DER.
fn other_name(content: &[u8]) -> Option<String> {
    let parts = der::elements(content)?;
    let [kind, value] = <[Element<'_>; 2]>::try_from(parts).ok()?;
    let kind = frame::oid(kind.expect(tag::OID)?);
    let value = der::one(value.expect(tag::constructed(0))?)?;
    Some(match value.text() {
        Some(text) => {
            let plain = |c: char| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
            };
            let text: String = text.chars().map(plain).collect();
            format!("{kind};{text}")
        }
        None => format!("{kind};#{}", der::hex_upper(value.whole)),
    })
}
