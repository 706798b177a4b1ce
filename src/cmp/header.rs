//! What an encoded CMP message says about itself, read without OpenSSL (pure).

use super::body::informations;
use super::names::{self, Information};
use crate::x509::der::{Element, integer, oid, one, tag, wrap};
use crate::x509::time;

/// The parts of a message that matter to who carries it, or has to find out whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The version of the protocol.
    pub(crate) version: i64,
    /// The number of the body's kind.
    pub(crate) kind: u8,
    /// The transaction id; empty where there is none.
    pub(crate) transaction: Vec<u8>,
    /// The nonce of the sender; empty where there is none.
    pub(crate) nonce: Vec<u8>,
    /// The number of the sender's key, or his reference; empty where there is none.
    pub(crate) reference: Vec<u8>,
    /// How the message is protected.
    pub(crate) protection: Protection,
    /// The encoded certificates that came along.
    pub(crate) extra: Vec<Vec<u8>>,
    /// Whether the confirmation of certificates is left out, or shall be.
    pub(crate) implicit: bool,
    /// When the sender made it, if he says so.
    pub(crate) time: Option<i64>,
    /// The names of the profiles that certificates shall follow.
    pub(crate) profiles: Vec<String>,
}

/// How a message is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Not at all.
    None,
    /// By a shared secret.
    Secret,
    /// By a signature.
    Signature,
}

/// Bodies by number, as far as they are told apart.
pub(crate) mod body {
    /// Initialization request.
    pub(crate) const IR: u8 = 0;
    /// Certification request.
    pub(crate) const CR: u8 = 2;
    /// PKCS#10.
    pub(crate) const P10CR: u8 = 4;
    /// Key update request.
    pub(crate) const KUR: u8 = 7;
    /// Revocation request.
    pub(crate) const RR: u8 = 11;
    /// Revocation response.
    pub(crate) const RP: u8 = 12;
    /// The answer to a confirmation.
    pub(crate) const PKICONF: u8 = 19;
    /// General message.
    pub(crate) const GENM: u8 = 21;
    /// Answer to a general message.
    pub(crate) const GENP: u8 = 22;
    /// Error.
    pub(crate) const ERROR: u8 = 23;
    /// Confirmation.
    pub(crate) const CERTCONF: u8 = 24;
    /// The client asks again.
    pub(crate) const POLLREQ: u8 = 25;
}

/// The numbers of the algorithms that work with a shared secret: by password, by Diffie-Hellman, by PBMAC1, and by a
/// key encapsulation.
const BY_SECRET: [&str; 4] = [
    "1.2.840.113533.7.66.13",
    "1.2.840.113533.7.66.30",
    "1.2.840.113549.1.5.14",
    "1.2.840.113533.7.66.16",
];

/// id-it-implicitConfirm
const IMPLICIT: &str = "1.3.6.1.5.5.7.4.13";

/// id-it-certProfile
const PROFILE: &str = "1.3.6.1.5.5.7.4.21";

/// A message in pieces: the fields of the header, the body, and what follows it.
pub(super) struct Pieces<'a> {
    /// The fields of the header.
    pub(super) header: Vec<Element<'a>>,
    /// The body.
    pub(super) body: Element<'a>,
    /// Protection and certificates.
    pub(super) rest: Vec<Element<'a>>,
}

/// Takes a message apart.
pub(super) fn split(bytes: &[u8]) -> Option<Pieces<'_>> {
    let parts = one(bytes)?.open(tag::SEQUENCE)?;
    let (first, rest) = parts.split_first()?;
    let (body, rest) = rest.split_first()?;
    (body.tag & 0xe0 == 0xa0).then_some(Pieces {
        header: first.open(tag::SEQUENCE)?,
        body: *body,
        rest: rest.to_vec(),
    })
}

impl<'a> Pieces<'a> {
    /// The content of a field of the header.
    fn field(&self, number: u8) -> Option<Element<'a>> {
        // The first three are the version and two names, which may have any tag.
        let mut fields = self.header.iter().skip(3);
        let field = fields.find(|field| field.tag == tag::constructed(number))?;
        one(field.content)
    }

    /// The bytes of a field of the header; none where there is no such field.
    fn octets(&self, number: u8) -> Option<Vec<u8>> {
        match self.field(number) {
            Some(field) => Some(field.expect(tag::OCTET_STRING)?.to_vec()),
            None => Some(Vec::new()),
        }
    }
}

/// Reads a message; `None` if it isn't one.
pub(crate) fn message(bytes: &[u8]) -> Option<Message> {
    let pieces = split(bytes)?;
    let protection = match pieces.field(1) {
        None => Protection::None,
        Some(algorithm) => {
            let parts = algorithm.open(tag::SEQUENCE)?;
            let number = oid(parts.first()?.expect(tag::OID)?)?;
            match BY_SECRET.contains(&number.as_str()) {
                true => Protection::Secret,
                false => Protection::Signature,
            }
        }
    };
    let extra = pieces
        .rest
        .iter()
        .find(|part| part.tag == tag::constructed(1));
    let extra = match extra {
        Some(part) => one(part.content)?.open(tag::SEQUENCE)?,
        None => Vec::new(),
    };
    let general = pieces.field(8).and_then(informations).unwrap_or_default();
    let mut profiles = Vec::new();
    for piece in general.iter().filter(|piece| piece.kind == PROFILE) {
        let names = one(piece.value.as_deref()?)?.open(tag::SEQUENCE)?;
        for name in names {
            profiles.push(name.text()?);
        }
    }
    Some(Message {
        version: integer(pieces.header.first()?.expect(tag::INTEGER)?)?,
        time: pieces.field(0).and_then(time::seconds),
        profiles,
        implicit: general.iter().any(|piece| piece.kind == IMPLICIT),
        kind: pieces.body.tag & 0x1f,
        transaction: pieces.octets(4)?,
        nonce: pieces.octets(5)?,
        reference: pieces.octets(2)?,
        protection,
        extra: extra.iter().map(|one| one.whole.to_vec()).collect(),
    })
}

/// The pieces of information in the answer to a general message; none if it is no such answer.
pub(crate) fn answers(bytes: &[u8]) -> Vec<Information> {
    let read = || {
        let body = split(bytes)?.body;
        informations(one(body.expect(tag::constructed(body::GENP))?)?)
    };
    read().unwrap_or_default()
}

/// A general message, or the answer to one, with these pieces of information in it; its protection doesn't fit any more.
/// `None` if it is no such message, or a type has no number.
pub(crate) fn with_answers(bytes: &[u8], pieces: &[Information]) -> Option<Vec<u8>> {
    let parts = split(bytes)?;
    let kinds = [body::GENM, body::GENP].map(tag::constructed);
    if !kinds.contains(&parts.body.tag) {
        return None;
    }
    let list = wrap(tag::SEQUENCE, &encode(pieces)?);
    let fields: Vec<&[u8]> = parts.header.iter().map(|field| field.whole).collect();
    Some(join(&fields, &wrap(parts.body.tag, &list), &parts.rest))
}

/// A message with further pieces of information in its header; its protection doesn't fit any more. `None` if it is no
/// message, or a type has no number.
pub(crate) fn with_information(bytes: &[u8], pieces: &[Information]) -> Option<Vec<u8>> {
    const FIELD: u8 = tag::constructed(8);
    let parts = split(bytes)?;
    let mut list = Vec::new();
    let mut fields = Vec::new();
    for field in &parts.header {
        match field.tag {
            FIELD => list.extend_from_slice(one(field.content)?.expect(tag::SEQUENCE)?),
            _ => fields.push(field.whole),
        }
    }
    list.extend(encode(pieces)?);
    // It is the last field.
    let field = wrap(FIELD, &wrap(tag::SEQUENCE, &list));
    fields.push(&field);
    Some(join(&fields, parts.body.whole, &parts.rest))
}

/// A message with an error as its body, a rejection; its protection doesn't fit any more. `None` if it is no message.
pub(crate) fn with_error(bytes: &[u8], failures: u32, text: &str) -> Option<Vec<u8>> {
    /// The status of a rejection.
    const REJECTION: u8 = 2;
    let parts = split(bytes)?;
    let status = [
        wrap(tag::INTEGER, &[REJECTION]),
        wrap(tag::SEQUENCE, &wrap(tag::UTF8, text.as_bytes())),
        wrap(tag::BIT_STRING, &named_bits(failures)),
    ];
    let error = wrap(tag::SEQUENCE, &wrap(tag::SEQUENCE, &status.concat()));
    let fields: Vec<&[u8]> = parts.header.iter().map(|field| field.whole).collect();
    let body = wrap(tag::constructed(body::ERROR), &error);
    Some(join(&fields, &body, &parts.rest))
}

/// The reason of the error in an error message of OpenSSL, which puts the number of a library in front of it.
pub(crate) fn error_reason(bytes: &[u8]) -> Option<i64> {
    /// Where the reason is (ERR_REASON_MASK).
    const REASON: i64 = 0x7F_FFFF;
    let body = split(bytes)?.body;
    let error = one(body.expect(tag::constructed(body::ERROR))?)?.open(tag::SEQUENCE)?;
    let code = error.iter().find(|part| part.tag == tag::INTEGER)?;
    integer(code.content).map(|code| code & REASON)
}

/// The content of a BIT STRING with these bits, without zeros at its end.
fn named_bits(bits: u32) -> Vec<u8> {
    let bytes = bits.reverse_bits().to_be_bytes();
    let count = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let kept = &bytes[..count];
    let unused = kept.last().map_or(0, |last| last.trailing_zeros());
    let unused = u8::try_from(unused).unwrap_or(0);
    [&[unused], kept].concat()
}

/// A message of its pieces.
fn join(header: &[&[u8]], body: &[u8], rest: &[Element<'_>]) -> Vec<u8> {
    let mut whole = wrap(tag::SEQUENCE, &header.concat());
    whole.extend_from_slice(body);
    for part in rest {
        whole.extend_from_slice(part.whole);
    }
    wrap(tag::SEQUENCE, &whole)
}

/// Encodes pieces of information.
fn encode(pieces: &[Information]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for piece in pieces {
        let kind = names::object(&piece.kind).ok()?;
        let mut item = wrap(tag::OID, kind.as_slice());
        item.extend_from_slice(piece.value.as_deref().unwrap_or_default());
        all.extend(wrap(tag::SEQUENCE, &item));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let id = wrap(0xa4, &wrap(tag::OCTET_STRING, b"abc"));
        let name = wrap(0xa4, &wrap(tag::SEQUENCE, &[]));
        let fields = [wrap(tag::INTEGER, &[2]), name.clone(), name, id];
        let header = wrap(tag::SEQUENCE, &fields.concat());
        let itav = wrap(tag::SEQUENCE, &wrap(tag::OID, &[42, 3]));
        let body = wrap(0xb6, &wrap(tag::SEQUENCE, &itav));
        let whole = wrap(tag::SEQUENCE, &[header, body].concat());
        let read = message(&whole).unwrap();
        assert_eq!((read.kind, &read.transaction[..]), (22, &b"abc"[..]));
        assert_eq!(read.protection, Protection::None);
        assert!(read.nonce.is_empty() && read.reference.is_empty() && read.extra.is_empty());
        let answers = answers(&whole);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].kind, "1.2.3");
        assert_eq!(answers[0].value, None);
    }

    #[test]
    fn an_error_takes_the_place_of_a_body() {
        assert_eq!(named_bits(0), [0]);
        assert_eq!(named_bits(0b10), [6, 0x40]);
        assert_eq!(named_bits(1 << 9 | 1), [6, 0x80, 0x40]);
        let name = wrap(0xa4, &wrap(tag::SEQUENCE, &[]));
        let fields = [wrap(tag::INTEGER, &[2]), name.clone(), name];
        let header = wrap(tag::SEQUENCE, &fields.concat());
        let whole = wrap(tag::SEQUENCE, &[header, wrap(0xb3, &[5, 0])].concat());
        let error = with_error(&whole, 0b10, "no").unwrap();
        assert_eq!(message(&error).unwrap().kind, body::ERROR);
        assert!(error.ends_with(&[0x0c, 2, b'n', b'o', 3, 2, 6, 0x40]));
    }

    #[test]
    fn what_is_no_message_is_none() {
        for bad in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"hello"] {
            assert_eq!(message(bad), None);
            assert!(answers(bad).is_empty());
        }
    }
}
