//! An OCSP request (RFC 6960) taken apart: which certificates it asks about, and what the answer must repeat.
//!
//! Pure. The request comes from a stranger; whatever isn't as it should be makes the whole of it malformed.

use crate::x509::der::{self, Element, tag};
use crate::x509::frame;

use super::super::crl;
use super::super::serial::Serial;

/// The nonce's object identifier, and that of the list of acceptable kinds of answers.
const NONCE: &str = "1.3.6.1.5.5.7.48.1.2";
const ACCEPTABLE: &str = "1.3.6.1.5.5.7.48.1.4";

/// The one kind of answer, as the content of an object identifier.
pub(super) const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

/// How many bytes a nonce may have (RFC 9654).
const LONGEST_NONCE: usize = 128;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question<'a> {
    /// The certificates that it asks about; at least one.
    pub(super) ids: Vec<CertificateId<'a>>,
    /// The nonce's extension, whole.
    pub(super) nonce: Option<&'a [u8]>,
}

/// Which certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CertificateId<'a> {
    /// The whole of it, for the answer.
    pub(super) whole: &'a [u8],
    /// The digest of the two hashes, an object identifier in dotted decimals.
    pub(super) digest: String,
    /// The hash of the issuer's name.
    pub(super) name: &'a [u8],
    /// The hash of the issuer's key.
    pub(super) key: &'a [u8],
    /// The serial number.
    pub(super) serial: Serial,
}

/// Takes a request apart; `None` if it is malformed, or has a critical extension that nobody knows.
pub(super) fn parse(bytes: &[u8]) -> Option<Question<'_>> {
    // A signature may follow, which proves nothing to somebody who answers everybody.
    let outer = der::one(bytes)?.open(tag::SEQUENCE)?;
    let (signed, rest) = outer.split_first()?;
    let well = match rest {
        [] => true,
        [signature] => signature.tag == tag::constructed(0),
        _ => false,
    };
    let mut parts = signed
        .open(tag::SEQUENCE)
        .filter(|_| well)?
        .into_iter()
        .peekable();
    if let Some(version) = parts.next_if(|part| part.tag == tag::constructed(0)) {
        let version = der::one(version.content)?.expect(tag::INTEGER)?;
        der::integer(version).filter(|version| *version == 0)?;
    }
    parts.next_if(|part| part.tag == tag::constructed(1));
    let list = parts.next()?.open(tag::SEQUENCE)?;
    let extensions = parts.next_if(|part| part.tag == tag::constructed(2));
    if list.is_empty() || parts.next().is_some() {
        return None;
    }
    let mut question = Question {
        ids: list.into_iter().map(id).collect::<Option<_>>()?,
        nonce: None,
    };
    if let Some(extensions) = extensions {
        let list = der::one(extensions.content)?;
        let wholes = list.open(tag::SEQUENCE)?;
        for (extension, whole) in frame::extensions(list)?.into_iter().zip(wholes) {
            match extension.oid.as_str() {
                NONCE if question.nonce.is_some() => return None,
                NONCE => {
                    check_nonce(extension.value)?;
                    question.nonce = Some(whole.whole);
                }
                ACCEPTABLE => {
                    let kinds = der::one(extension.value)?.open(tag::SEQUENCE)?;
                    kinds
                        .iter()
                        .find(|kind| kind.expect(tag::OID) == Some(BASIC))?;
                }
                _ if extension.critical => return None,
                _ => {}
            }
        }
    }
    Some(question)
}

/// Refuses a nonce that is empty or too long. Old clients don't wrap it into an OCTET STRING.
fn check_nonce(value: &[u8]) -> Option<()> {
    let inner = der::one(value).and_then(|inner| inner.expect(tag::OCTET_STRING));
    let len = inner.unwrap_or(value).len();
    (1..=LONGEST_NONCE).contains(&len).then_some(())
}

/// One of the certificates, with its own extensions.
fn id(request: Element<'_>) -> Option<CertificateId<'_>> {
    let parts = request.open(tag::SEQUENCE)?;
    let (first, rest) = parts.split_first()?;
    match rest {
        [] => {}
        [own] if own.tag == tag::constructed(0) => {
            let extensions = frame::extensions(der::one(own.content)?)?;
            if extensions.iter().any(|extension| extension.critical) {
                return None;
            }
        }
        _ => return None,
    }
    let parts = first.open(tag::SEQUENCE)?;
    let [algorithm, name, key, serial] = parts.as_slice() else {
        return None;
    };
    let algorithm = algorithm.open(tag::SEQUENCE)?;
    let serial = serial
        .expect(tag::INTEGER)
        .filter(|serial| !serial.is_empty())?;
    Some(CertificateId {
        whole: first.whole,
        digest: der::oid(algorithm.first()?.expect(tag::OID)?)?,
        name: name.expect(tag::OCTET_STRING)?,
        key: key.expect(tag::OCTET_STRING)?,
        serial: crl::number(serial),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SEQUENCE.
    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        der::wrap(tag::SEQUENCE, &parts.concat())
    }

    /// An entry of the list: SHA-1 hashes `n` and `k`, serial number 5.
    fn entry(more: &[u8]) -> Vec<u8> {
        let sha1 = sequence(&[&[6, 5, 0x2b, 0x0e, 3, 2, 0x1a], &[5, 0]]);
        let id = sequence(&[&sha1, &[4, 1, b'n'], &[4, 1, b'k'], &[2, 1, 5]]);
        sequence(&[&id, more])
    }

    /// An extension.
    fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
        let critical: &[u8] = match critical {
            true => &[1, 1, 0xff],
            false => &[],
        };
        let oid = der::wrap(tag::OID, oid);
        sequence(&[&oid, critical, &der::wrap(tag::OCTET_STRING, value)])
    }

    /// A request with these extensions.
    fn with(extensions: &[&[u8]]) -> Vec<u8> {
        let list = der::wrap(tag::constructed(2), &sequence(extensions));
        sequence(&[&sequence(&[&sequence(&[&entry(&[])]), &list])])
    }

    const NONCE_OID: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];

    #[test]
    fn a_request_is_taken_apart() {
        let bytes = sequence(&[&sequence(&[&sequence(&[&entry(&[]), &entry(&[])])])]);
        let question = parse(&bytes).unwrap();
        assert_eq!(question.ids.len(), 2);
        let id = &question.ids[0];
        assert_eq!((id.name, id.key), (&b"n"[..], &b"k"[..]));
        assert_eq!(
            (id.digest.as_str(), id.serial.to_string().as_str()),
            ("1.3.14.3.2.26", "05")
        );
        let nonce = extension(NONCE_OID, false, &[4, 2, 1, 2]);
        let bytes = with(&[&nonce]);
        assert_eq!(parse(&bytes).unwrap().nonce, Some(nonce.as_slice()));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let good = sequence(&[&sequence(&[&sequence(&[&entry(&[])])])]);
        for len in 0..good.len() {
            assert_eq!(parse(&good[..len]), None, "{len}");
        }
        assert_eq!(parse(&[&good[..], b"x"].concat()), None);
        // No certificate at all, another version, something behind.
        assert_eq!(parse(&sequence(&[&sequence(&[&sequence(&[])])])), None);
        let list = sequence(&[&entry(&[])]);
        let version = |number: u8| der::wrap(tag::constructed(0), &[2, 1, number]);
        assert!(parse(&sequence(&[&sequence(&[&version(0), &list])])).is_some());
        assert_eq!(parse(&sequence(&[&sequence(&[&version(1), &list])])), None);
        assert_eq!(parse(&sequence(&[&sequence(&[&list, &[5, 0]])])), None);
        assert_eq!(parse(&sequence(&[&sequence(&[&list]), &[5, 0]])), None);
    }

    #[test]
    fn nonces_have_a_length_and_critical_extensions_are_known() {
        let long = |len: usize| der::wrap(tag::OCTET_STRING, &vec![7; len]);
        for (len, taken) in [(0, false), (1, true), (128, true), (129, false)] {
            let bytes = with(&[&extension(NONCE_OID, false, &long(len))]);
            assert_eq!(parse(&bytes).is_some(), taken, "{len}");
        }
        let nonce = extension(NONCE_OID, false, &long(8));
        assert_eq!(parse(&with(&[&nonce, &nonce])), None);
        for (critical, taken) in [(true, false), (false, true)] {
            let own = extension(&[0x2a, 3], critical, &[5, 0]);
            assert_eq!(parse(&with(&[&own])).is_some(), taken);
            let own = der::wrap(tag::constructed(0), &sequence(&[&own]));
            let bytes = sequence(&[&sequence(&[&sequence(&[&entry(&own)])])]);
            assert_eq!(parse(&bytes).is_some(), taken);
        }
        let kind = |oid: &[u8]| {
            let list = sequence(&[&der::wrap(tag::OID, oid)]);
            with(&[&extension(&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 4], false, &list)])
        };
        assert!(parse(&kind(BASIC)).is_some());
        assert_eq!(parse(&kind(&[0x2a])), None);
    }
}
