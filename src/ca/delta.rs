//! Delta lists (RFC 5280, 5.2.4): what has changed since a complete list, the base.
//!
//! The base is given as the list itself. What the database says of now can't tell what it said then: a lifted hold
//! leaves no trace in a record, and what has ended leaves the lists by and by. The base has all of it, is signed, and is
//! what the reader of the delta has to have as well.

use std::collections::HashMap;

use openssl::x509::{X509, X509Crl, X509Name};

use crate::error::{Error, Reason, Result};
use crate::ossl;
use crate::x509::der::{self, Element, tag};
use crate::x509::frame::{self, Extension};
use crate::x509::{name, pem};

use super::authority::Authority;
use super::crl::{self, Entries, List, Plan};
use super::encode;
use super::serial::Serial;
use super::store::Store;

/// Object identifiers of extensions.
const CRL_NUMBER: &str = "2.5.29.20";
const DELTA_INDICATOR: &str = "2.5.29.27";
const ISSUING_POINT: &str = "2.5.29.28";
const AUTHORITY_KEY: &str = "2.5.29.35";

/// The reason that takes an entry off a list.
const REMOVE_FROM_CRL: u8 = 8;

/// A complete list that was made before.
pub(crate) struct Base {
    /// Its DER.
    der: Vec<u8>,
    /// Its number.
    pub(crate) number: Serial,
    /// The name of its file, for messages.
    source: String,
}

/// A delta list.
pub(crate) struct Delta {
    /// The list.
    pub(crate) list: List,
    /// How many entries take one off the base.
    pub(crate) removed: u64,
}

/// The error for a base that can't be one.
fn bad_base(source: &str, why: &str) -> Error {
    let message = format!("\"{source}\" can't be the base of a delta list: {why}");
    Error::failed_with(Reason::CaVerify, ["-delta", source], message)
}

impl Base {
    /// Reads a list, which must be a complete one of the authority's, with a number.
    ///
    /// OpenSSL would make a structure of each entry, which takes long where there are very many.
    pub(crate) fn read(content: &[u8], issuer: &X509, source: &str) -> Result<Self> {
        let der = match pem::is_pem(content) {
            true => {
                let text = String::from_utf8_lossy(content);
                let block = pem::blocks(&text).find(|block| block.label == "X509 CRL");
                block.and_then(|block| block.der())
            }
            false => Some(content.to_vec()),
        };
        let readable = der.filter(|der| take_apart(der).is_some());
        let der = readable.ok_or_else(|| {
            let message = format!("can't read a revocation list from \"{source}\"");
            Error::failed_with(Reason::CaRead, ["-delta", source], message)
        })?;
        if !is_by(&der, issuer).unwrap_or(false) {
            return Err(bad_base(source, "another authority has made it"));
        }
        let (_, extensions) = take_apart(&der).unwrap_or_default();
        if find(&extensions, DELTA_INDICATOR).is_some() {
            return Err(bad_base(source, "it is a delta list itself"));
        }
        let number = find(&extensions, CRL_NUMBER)
            .and_then(|value| der::one(value)?.expect(tag::INTEGER).map(crl::number));
        let number = number.ok_or_else(|| bad_base(source, "it has no number"))?;
        Ok(Self {
            der,
            number,
            source: source.to_owned(),
        })
    }
}

/// Whether a list was made by an authority; nothing if it can't be told.
fn is_by(der: &[u8], issuer: &X509) -> Option<bool> {
    let outer = der::one(der)?.open(tag::SEQUENCE)?;
    let [signed, algorithm, signature] = outer.as_slice() else {
        return None;
    };
    let mut inner = signed.open(tag::SEQUENCE)?.into_iter().peekable();
    inner.next_if(|part| part.tag == tag::INTEGER);
    let (own, name) = (inner.next()?, X509Name::from_der(inner.next()?.whole).ok()?);
    // No bit of the last byte is unused.
    let signature = signature.expect(tag::BIT_STRING)?.strip_prefix(&[0])?;
    let key = issuer.public_key().ok()?;
    Some(
        own.whole == algorithm.whole
            && name::oneline(&name) == name::oneline(issuer.subject_name())
            && ossl::sign::verify(algorithm.whole, signed.whole, signature, &key),
    )
}

/// Whether a list is a delta list.
pub(crate) fn is_one(list: &X509Crl) -> bool {
    let der = list.to_der().unwrap_or_default();
    let parts = take_apart(&der);
    parts.is_some_and(|(_, extensions)| find(&extensions, DELTA_INDICATOR).is_some())
}

/// The value of an extension.
fn find<'a>(extensions: &[Extension<'a>], oid: &str) -> Option<&'a [u8]> {
    let found = extensions.iter().find(|extension| extension.oid == oid);
    found.map(|extension| extension.value)
}

/// The entries and the extensions of a list. Entries aren't taken apart, for there may be very many.
fn take_apart(der: &[u8]) -> Option<(Vec<Element<'_>>, Vec<Extension<'_>>)> {
    let outer = der::one(der)?.open(tag::SEQUENCE)?;
    let inner = outer.first()?.open(tag::SEQUENCE)?;
    let extensions = inner
        .iter()
        .find(|part| part.tag == tag::constructed(0))
        .and_then(|part| frame::extensions(der::one(part.content)?));
    // Behind the times there is a SEQUENCE of entries, unless there are none.
    let is_time = |part: &Element<'_>| matches!(part.tag, tag::UTC_TIME | tag::GENERALIZED_TIME);
    let last_time = inner.iter().rposition(is_time)?;
    let entries = inner
        .get(last_time + 1)
        .and_then(|part| part.open(tag::SEQUENCE));
    Some((entries.unwrap_or_default(), extensions.unwrap_or_default()))
}

/// Makes a delta list: what a complete list of now would have otherwise than the base, and what it wouldn't have.
pub(crate) fn generate(
    authority: &Authority,
    plan: &Plan<'_>,
    base: &Base,
    store: &mut dyn Store,
) -> Result<Delta> {
    if plan
        .number
        .as_ref()
        .is_none_or(|number| *number <= base.number)
    {
        let message = format!(
            "the next CRL number must be above {}, the base's: check the file of crlnumber",
            base.number
        );
        return Err(Error::failed_with(
            Reason::CaDatabase,
            ["crlnumber"],
            message,
        ));
    }
    let (entries, own) = take_apart(&base.der).unwrap_or_default();
    let mut left: HashMap<&[u8], &[u8]> = HashMap::with_capacity(entries.len());
    for entry in entries {
        // The serial number comes first, so it can be found without taking the entry apart.
        if let Some(serial) = der::head(entry.content) {
            left.insert(serial.content, entry.whole);
        }
    }
    let listed = store.last_list()?;
    let (mut entry, mut all) = (Entries::default(), Entries::default());
    store.each_revoked(&mut |row| {
        if crl::is_over(row, listed) {
            return Ok(());
        }
        entry.clear();
        entry.add(row)?;
        let whole = der::head(entry.bytes());
        let serial = whole.and_then(|whole| der::head(whole.content));
        let before = serial.and_then(|serial| left.remove(serial.content));
        if before != Some(entry.bytes()) {
            all.append(&entry);
        }
        Ok(())
    })?;
    let removed = left.len() as u64;
    for serial in left.into_keys() {
        let serial = encode::element(tag::INTEGER, &[serial]);
        all.add_bare(&serial, plan.this_update, REMOVE_FROM_CRL);
    }
    all.sort()?;
    let list = crl::assemble(authority, plan, all)?;
    // Who reads the two puts them together only if these are the same in both.
    let made = list.to_der();
    let (_, ours) = take_apart(&made).unwrap_or_default();
    for (oid, word) in [
        (AUTHORITY_KEY, "authorityKeyIdentifier"),
        (ISSUING_POINT, "issuingDistributionPoint"),
    ] {
        if find(&own, oid) != find(&ours, oid) {
            let why = format!("its {word} isn't the one that the delta list would have");
            return Err(bad_base(&base.source, &why));
        }
    }
    Ok(Delta { list, removed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_with_and_without_entries() {
        let sequence = |parts: &[&[u8]]| der::wrap(tag::SEQUENCE, &parts.concat());
        let (algorithm, name) = (sequence(&[&[6, 1, 42]]), sequence(&[]));
        let time = der::wrap(tag::UTC_TIME, b"260101000000Z");
        let entry = sequence(&[&[2, 1, 5], &time]);
        let entries = sequence(&[&entry, &entry]);
        let extension = sequence(&[
            &[6, 3, 0x55, 0x1d, 20],
            &der::wrap(tag::OCTET_STRING, &[2, 1, 7]),
        ]);
        let extensions = der::wrap(tag::constructed(0), &sequence(&[&extension]));
        let list = |parts: &[&[u8]]| sequence(&[&sequence(parts), &algorithm, &[3, 1, 0]]);
        let bytes = list(&[
            &[2, 1, 1],
            &algorithm,
            &name,
            &time,
            &time,
            &entries,
            &extensions,
        ]);
        let (found, own) = take_apart(&bytes).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].whole, entry);
        assert_eq!(find(&own, CRL_NUMBER), Some(&[2, 1, 7][..]));
        assert_eq!(find(&own, DELTA_INDICATOR), None);
        let bytes = list(&[&[2, 1, 1], &algorithm, &name, &time, &time, &extensions]);
        let (found, own) = take_apart(&bytes).unwrap();
        assert_eq!((found.len(), own.len()), (0, 1));
        let bytes = list(&[&algorithm, &name, &time]);
        let (found, own) = take_apart(&bytes).unwrap();
        assert_eq!((found.len(), own.len()), (0, 0));
        assert!(take_apart(b"x").is_none());
    }
}
