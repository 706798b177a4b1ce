//! The outer structure of certificates, requests and revocation lists, as slices of their DER.
//!
//! Pure. OpenSSL has read these bytes before, so a structure that isn't found here is a rare thing; the caller then
//! has nothing to show for the parts concerned.

use super::der::{self, Element, tag};

/// An extension as it stands: nothing is interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    /// The object identifier in dotted decimals, or `#` and its bytes in hexadecimal if it has none.
    pub(crate) oid: String,
    /// Whether who doesn't know it must refuse the whole.
    pub(crate) critical: bool,
    /// The DER of its value.
    pub(crate) value: &'a [u8],
}

/// A certificate.
#[derive(Debug, Default)]
pub(crate) struct Certificate<'a> {
    /// The serial number's content bytes.
    pub(crate) serial: &'a [u8],
    /// The object identifier of the signature algorithm inside the signed part.
    pub(crate) inner_algorithm: String,
    /// The object identifier of the signature algorithm outside.
    pub(crate) algorithm: String,
    /// The signature.
    pub(crate) signature: &'a [u8],
    /// The begin of validity.
    pub(crate) not_before: Option<Element<'a>>,
    /// The end of validity.
    pub(crate) not_after: Option<Element<'a>>,
    /// The public key with its algorithm.
    pub(crate) key: Key<'a>,
    /// The issuer's unique identifier.
    pub(crate) issuer_id: &'a [u8],
    /// The subject's unique identifier.
    pub(crate) subject_id: &'a [u8],
    /// The extensions in their order.
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// A SubjectPublicKeyInfo.
#[derive(Debug, Default)]
pub(crate) struct Key<'a> {
    /// The object identifier of the key's algorithm.
    pub(crate) algorithm: String,
    /// The key's bits, without the algorithm.
    pub(crate) bits: &'a [u8],
    /// The whole structure, which is what key pins are made of.
    pub(crate) whole: &'a [u8],
}

/// A certificate request.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    /// The object identifier of the signature algorithm.
    pub(crate) algorithm: String,
    /// The signature.
    pub(crate) signature: &'a [u8],
    /// The public key with its algorithm.
    pub(crate) key: Key<'a>,
    /// The attributes: object identifier and values.
    pub(crate) attributes: Vec<(String, Vec<Element<'a>>)>,
    /// The extensions that are asked for.
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// A revocation list.
#[derive(Debug, Default)]
pub(crate) struct Crl<'a> {
    /// The certificates that are revoked.
    pub(crate) revoked: Vec<Revoked<'a>>,
    /// The list's own extensions.
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// A revoked certificate.
#[derive(Debug)]
pub(crate) struct Revoked<'a> {
    /// The serial number's content bytes.
    pub(crate) serial: &'a [u8],
    /// When it was revoked.
    pub(crate) date: Element<'a>,
    /// The extensions of the entry.
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// The requested extensions' attribute, and Microsoft's older one.
const EXTENSION_REQUESTS: [&str; 2] = ["1.2.840.113549.1.9.14", "1.3.6.1.4.1.311.2.1.14"];

/// Takes a certificate apart.
pub(crate) fn certificate(bytes: &[u8]) -> Option<Certificate<'_>> {
    let (signed, algorithm, signature) = outer(bytes)?;
    let mut parts = signed.into_iter().peekable();
    parts.next_if(|part| part.tag == tag::constructed(0));
    let serial = parts.next()?.expect(tag::INTEGER)?;
    let inner_algorithm = algorithm_oid(parts.next()?);
    let _issuer = parts.next()?;
    let validity = parts.next()?.open(tag::SEQUENCE)?;
    let _subject = parts.next()?;
    let key = key(parts.next()?);
    let mut found = Certificate {
        serial,
        inner_algorithm,
        algorithm,
        signature,
        not_before: validity.first().copied(),
        not_after: validity.get(1).copied(),
        key,
        ..Certificate::default()
    };
    for part in parts {
        match part.tag {
            number if number == tag::context(1) => found.issuer_id = bits(part.content),
            number if number == tag::context(2) => found.subject_id = bits(part.content),
            number if number == tag::constructed(3) => {
                found.extensions = der::one(part.content)
                    .and_then(extensions)
                    .unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(found)
}

/// Takes a request apart.
pub(crate) fn request(bytes: &[u8]) -> Option<Request<'_>> {
    let (signed, algorithm, signature) = outer(bytes)?;
    let mut parts = signed.into_iter();
    let _version = parts.next()?;
    let _subject = parts.next()?;
    let key = key(parts.next()?);
    let set = parts.find(|part| part.tag == tag::constructed(0));
    let attributes: Vec<_> = set
        .and_then(|set| der::elements(set.content))
        .unwrap_or_default()
        .into_iter()
        .filter_map(attribute)
        .collect();
    let extensions = attributes
        .iter()
        .find(|(oid, _)| EXTENSION_REQUESTS.contains(&oid.as_str()))
        .and_then(|(_, values)| extensions(*values.first()?))
        .unwrap_or_default();
    Some(Request {
        algorithm,
        signature,
        key,
        attributes,
        extensions,
    })
}

/// Takes a revocation list apart.
pub(crate) fn crl(bytes: &[u8]) -> Option<Crl<'_>> {
    let (signed, ..) = outer(bytes)?;
    let mut parts = signed.into_iter().peekable();
    let _version = parts.next_if(|part| part.tag == tag::INTEGER);
    let _inner_algorithm = parts.next()?;
    let _issuer = parts.next()?;
    let _last_update = parts.next();
    let is_time = |part: &Element<'_>| matches!(part.tag, tag::UTC_TIME | tag::GENERALIZED_TIME);
    let _next_update = parts.next_if(is_time);
    let revoked = parts
        .next_if(|part| part.tag == tag::SEQUENCE)
        .and_then(|list| der::elements(list.content))
        .unwrap_or_default()
        .into_iter()
        .filter_map(revoked)
        .collect();
    let extensions = parts
        .find(|part| part.tag == tag::constructed(0))
        .and_then(|part| extensions(der::one(part.content)?))
        .unwrap_or_default();
    Some(Crl {
        revoked,
        extensions,
    })
}

/// What all three have in common: the signed part's elements, the signature's algorithm and the signature.
fn outer(bytes: &[u8]) -> Option<(Vec<Element<'_>>, String, &[u8])> {
    let parts = der::one(bytes)?.open(tag::SEQUENCE)?;
    let [signed, algorithm, signature] = <[Element<'_>; 3]>::try_from(parts).ok()?;
    let signed = signed.open(tag::SEQUENCE)?;
    let signature = bits(signature.expect(tag::BIT_STRING)?);
    Some((signed, algorithm_oid(algorithm), signature))
}

/// The object identifier of an AlgorithmIdentifier.
fn algorithm_oid(algorithm: Element<'_>) -> String {
    algorithm
        .open(tag::SEQUENCE)
        .and_then(|parts| parts.first()?.expect(tag::OID))
        .map(oid)
        .unwrap_or_default()
}

/// An object identifier in dotted decimals, or marked as none.
pub(crate) fn oid(content: &[u8]) -> String {
    der::oid(content).unwrap_or_else(|| format!("#{}", der::hex(content)))
}

/// A SubjectPublicKeyInfo.
pub(crate) fn key(whole: Element<'_>) -> Key<'_> {
    let parts = whole.open(tag::SEQUENCE).unwrap_or_default();
    let algorithm = parts.first().copied().map(algorithm_oid);
    let content = parts.get(1).and_then(|part| part.expect(tag::BIT_STRING));
    Key {
        algorithm: algorithm.unwrap_or_default(),
        bits: content.map(bits).unwrap_or_default(),
        whole: whole.whole,
    }
}

/// The bytes of a BIT STRING's content, whose first byte only counts unused bits.
pub(crate) fn bits(content: &[u8]) -> &[u8] {
    content.get(1..).unwrap_or_default()
}

/// A request's attribute.
fn attribute(part: Element<'_>) -> Option<(String, Vec<Element<'_>>)> {
    let parts = part.open(tag::SEQUENCE)?;
    let [kind, values] = <[Element<'_>; 2]>::try_from(parts).ok()?;
    Some((oid(kind.expect(tag::OID)?), values.open(tag::SET)?))
}

/// An entry of a revocation list.
fn revoked(entry: Element<'_>) -> Option<Revoked<'_>> {
    let mut parts = entry.open(tag::SEQUENCE)?.into_iter();
    let serial = parts.next()?.expect(tag::INTEGER)?;
    let date = parts.next()?;
    let extensions = parts.next().and_then(extensions).unwrap_or_default();
    Some(Revoked {
        serial,
        date,
        extensions,
    })
}

/// A sequence of extensions.
pub(crate) fn extensions(list: Element<'_>) -> Option<Vec<Extension<'_>>> {
    let list = list.open(tag::SEQUENCE)?;
    list.into_iter().map(extension).collect()
}

/// One extension.
fn extension(part: Element<'_>) -> Option<Extension<'_>> {
    let mut parts = part.open(tag::SEQUENCE)?.into_iter().peekable();
    let oid = oid(parts.next()?.expect(tag::OID)?);
    let critical = parts.next_if(|part| part.tag == tag::BOOLEAN);
    let value = parts.next()?.expect(tag::OCTET_STRING)?;
    Some(Extension {
        oid,
        critical: critical.is_some_and(|flag| flag.content.iter().any(|byte| *byte != 0)),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_none() {
        for bytes in [&b""[..], b"\x30\x00", b"\x30\x02\x05\x00", b"hello"] {
            assert!(certificate(bytes).is_none());
            assert!(request(bytes).is_none());
            assert!(crl(bytes).is_none());
        }
    }

    #[test]
    fn an_extension_may_lack_the_critical_flag() {
        let plain = der::one(b"\x30\x07\x06\x01\x2a\x04\x02\x05\x00").unwrap();
        let critical = der::one(b"\x30\x0a\x06\x01\x2a\x01\x01\xff\x04\x02\x05\x00").unwrap();
        assert!(!extension(plain).unwrap().critical);
        assert!(extension(critical).unwrap().critical);
        assert_eq!(extension(plain).unwrap().oid, "1.2");
        assert_eq!(extension(critical).unwrap().value, b"\x05\x00");
    }
}
