//! What an encoded CMP message says about itself, read without OpenSSL (pure).

use super::names::Information;
use crate::x509::der::{Element, oid, one, tag};

/// The parts of a message that matter to who carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The number of the body's kind.
    pub(crate) kind: u8,
    /// The transaction id; empty where there is none.
    pub(crate) transaction: Vec<u8>,
}

/// Bodies by number, as far as they are told apart.
pub(crate) mod body {
    /// Answer to a general message.
    pub(crate) const GENP: u8 = 22;
}

/// The header and the body of a message.
fn split(bytes: &[u8]) -> Option<(Vec<Element<'_>>, Element<'_>)> {
    let parts = one(bytes)?.open(tag::SEQUENCE)?;
    let header = parts.first()?.open(tag::SEQUENCE)?;
    Some((header, *parts.get(1)?))
}

/// Reads a message; `None` if it isn't one.
pub(crate) fn message(bytes: &[u8]) -> Option<Message> {
    /// `[4]` in the header.
    const TRANSACTION: u8 = 0xa4;
    let (header, body) = split(bytes)?;
    // The first three are the version and two names, which may have any tag.
    let field = header.iter().skip(3).find(|field| field.tag == TRANSACTION);
    let transaction = match field {
        Some(field) => one(field.content)?.expect(tag::OCTET_STRING)?.to_vec(),
        None => Vec::new(),
    };
    (body.tag & 0xe0 == 0xa0).then_some(Message {
        kind: body.tag & 0x1f,
        transaction,
    })
}

/// The pieces of information in the answer to a general message; none if it is no such answer.
pub(crate) fn answers(bytes: &[u8]) -> Vec<Information> {
    let read = || {
        let (_, body) = split(bytes)?;
        let list = one(body.expect(0xa0 | body::GENP)?)?.open(tag::SEQUENCE)?;
        let piece = |item: &Element<'_>| {
            let parts = item.open(tag::SEQUENCE)?;
            Some(Information {
                kind: oid(parts.first()?.expect(tag::OID)?)?,
                value: parts.get(1).map(|value| value.whole.to_vec()),
            })
        };
        list.iter().map(piece).collect::<Option<Vec<_>>>()
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::wrap;

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
        let answers = answers(&whole);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].kind, "1.2.3");
        assert_eq!(answers[0].value, None);
    }

    #[test]
    fn what_is_no_message_is_none() {
        for bad in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"hello"] {
            assert_eq!(message(bad), None);
            assert!(answers(bad).is_empty());
        }
    }
}
