//! Revocation lists, made of any number of records in little time and memory.
//!
//! OpenSSL makes and signs an empty list with all its extensions; the entries are encoded here, in order, and spliced
//! in before the real signature is made. So a million entries cost their bytes, and not a structure each.

use std::collections::HashMap;

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Crl, X509Extension};

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;
use crate::ossl::conf::Conf;
use crate::ossl::x509_draft;
use crate::x509::der::{self, Element, tag};
use crate::x509::{pem, time};

use super::authority::{Authority, unsigned};
use super::encode;
use super::issue::bad_section;
use super::revoke::Revocation;
use super::row::{self, RowRef};
use super::serial::Serial;
use super::store::Store;

/// The object identifiers of an entry's extensions, and of those that the list gets from here.
const REASON_CODE: &[u8] = &[0x55, 0x1d, 0x15];
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 0x18];
const HOLD_INSTRUCTION: &[u8] = &[0x55, 0x1d, 0x17];

/// How many kinds of extensions are remembered while entries are made.
const KNOWN: usize = 64;

/// What a list is to be.
pub(crate) struct Plan<'a> {
    /// When it is made.
    pub(crate) this_update: i64,
    /// When the next one comes.
    pub(crate) next_update: i64,
    /// The configuration, and the section of it that has the list's extensions.
    pub(crate) extensions: Option<(&'a Conf, &'a str)>,
    /// Its number.
    pub(crate) number: Option<Serial>,
    /// The number of the complete list that this one, a delta list, adds to.
    pub(crate) base: Option<Serial>,
}

/// A list, in parts that make its DER when put one behind the other.
pub(crate) struct List {
    /// Up to the entries.
    head: Vec<u8>,
    /// The entries one behind the other, in the order of the index.
    entries: Entries,
    /// From the entries on.
    tail: Vec<u8>,
}

/// Encoded entries.
#[derive(Default)]
pub(super) struct Entries {
    /// Their bytes.
    bytes: Vec<u8>,
    /// How many there are.
    count: u64,
    /// Whether one has an extension, which makes the list a version 2 one.
    extended: bool,
    /// The content of the entry that is being made.
    entry: Vec<u8>,
    /// The number of the last entry, as it is encoded.
    last: Vec<u8>,
    /// Whether the numbers haven't come in their order.
    unsorted: bool,
    /// What follows the date in the index, with the extensions that come of it. There are few of these.
    known: HashMap<String, Vec<u8>>,
}

impl List {
    /// How many certificates are listed.
    pub(crate) const fn len(&self) -> u64 {
        self.entries.count
    }

    /// The whole DER.
    pub(super) fn to_der(&self) -> Vec<u8> {
        [self.head.as_slice(), &self.entries.bytes, &self.tail].concat()
    }

    /// The list in PEM, handed to `sink` piece by piece.
    pub(crate) fn write_pem(&self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        sink(b"-----BEGIN X509 CRL-----\n")?;
        let mut pending = Vec::new();
        // Large parts in pieces: the text of all at once would be larger than the list itself.
        let pieces = [&self.head, &self.entries.bytes, &self.tail]
            .into_iter()
            .flat_map(|part| part.chunks(48 * 1024));
        for piece in pieces {
            pending.extend_from_slice(piece);
            // Whole lines of 48 bytes each.
            let whole = pending.len() - pending.len() % 48;
            if whole >= 48 * 1024 {
                sink(&pem::lines(&pending[..whole]))?;
                pending.drain(..whole);
            }
        }
        sink(&pem::lines(&pending))?;
        sink(b"-----END X509 CRL-----\n")
    }
}

/// Makes a list of the revoked certificates.
pub(crate) fn generate(
    authority: &Authority,
    plan: &Plan<'_>,
    store: &mut dyn Store,
) -> Result<List> {
    let listed = store.last_list()?;
    let mut entries = Entries::default();
    store.each_revoked(&mut |row| match is_over(row, listed) {
        true => Ok(()),
        false => entries.add(row),
    })?;
    entries.sort()?;
    assemble(authority, plan, entries)
}

/// Whether a certificate may leave the list: an earlier list was made after its end and had it.
pub(super) fn is_over(row: &RowRef<'_>, last: Option<i64>) -> bool {
    let revoked = row::revocation_date(row.revocation);
    let listed = |last| row.expires() < last && revoked.is_some_and(|revoked| revoked <= last);
    last.is_some_and(listed)
}

impl Entries {
    /// Adds the entry of a record.
    pub(super) fn add(&mut self, row: &RowRef<'_>) -> Result<()> {
        let refused = |why: String| {
            let serial = row.serial.to_string();
            let message = format!("the record of certificate {serial}: {why}");
            Error::failed_with(Reason::CaDatabase, ["revocation", &serial], message)
        };
        let (date, rest) = row
            .revocation
            .split_at(row.revocation.find(',').unwrap_or(row.revocation.len()));
        let seconds = time::parse(date).map_err(|problem| refused(problem.to_string()))?;
        self.entry.clear();
        encode::put_integer(
            &mut self.entry,
            row.serial.magnitude(),
            row.serial.is_negative(),
        );
        let (number, _) = encode::first(&self.entry);
        self.unsorted |= self.count > 0 && encode::compare_integers(&self.last, number).is_ge();
        self.last.clear();
        self.last.extend_from_slice(number);
        put_time(&mut self.entry, date, seconds);
        if !rest.is_empty() {
            if !self.known.contains_key(rest) {
                let revocation = Revocation::parse(row.revocation).map_err(refused)?;
                // Times of compromise may be many; they need not all be kept.
                if self.known.len() >= KNOWN {
                    self.known.clear();
                }
                self.known.insert(rest.to_owned(), extensions(&revocation)?);
            }
            if let Some(extensions) = self.known.get(rest) {
                self.extended |= !extensions.is_empty();
                self.entry.extend_from_slice(extensions);
            }
        }
        encode::put(&mut self.bytes, tag::SEQUENCE, &self.entry);
        self.count += 1;
        Ok(())
    }

    /// Adds an entry of a serial number, encoded already, with nothing but a reason.
    pub(super) fn add_bare(&mut self, serial: &[u8], date: i64, reason: u8) {
        (self.extended, self.unsorted) = (true, true);
        let reason = encode::element(tag::ENUMERATED, &[&[reason]]);
        let extensions = encode::element(tag::SEQUENCE, &[&extension(REASON_CODE, &reason)]);
        self.entry.clear();
        self.entry.extend_from_slice(serial);
        put_time(&mut self.entry, "", date);
        self.entry.extend_from_slice(&extensions);
        encode::put(&mut self.bytes, tag::SEQUENCE, &self.entry);
        self.count += 1;
    }

    /// The bytes, in the order in which entries were added.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds others.
    pub(super) fn append(&mut self, others: &Self) {
        self.bytes.extend_from_slice(&others.bytes);
        self.count += others.count;
        self.extended |= others.extended;
        self.unsorted = true;
    }

    /// Forgets the entries, and keeps the room for others.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.count, self.extended, self.unsorted) = (0, false, false);
    }

    /// Puts the entries in the order of their numbers.
    pub(super) fn sort(&mut self) -> Result<()> {
        if !self.unsorted {
            return Ok(());
        }
        let mut each = Vec::new();
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            let (content, after) = encode::first(rest);
            let (number, _) = encode::first(content);
            each.push((number, &rest[..rest.len() - after.len()]));
            rest = after;
        }
        each.sort_unstable_by(|(one, _), (other, _)| encode::compare_integers(one, other));
        if let Some([(serial, _), ..]) = each.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let serial = number(serial).to_string();
            return Err(Error::failed_with(
                Reason::CaDatabase,
                ["serial", &serial],
                format!("two records have the serial number {serial}"),
            ));
        }
        let mut sorted = Vec::with_capacity(self.bytes.len());
        for (_, entry) in each {
            sorted.extend_from_slice(entry);
        }
        self.bytes = sorted;
        Ok(())
    }
}

/// The extensions of an entry, none if it needs none.
fn extensions(revocation: &Revocation) -> Result<Vec<u8>> {
    let mut extensions = Vec::new();
    if let Some(reason) = revocation.reason {
        let value = encode::element(tag::ENUMERATED, &[&[reason]]);
        extensions.extend(extension(REASON_CODE, &value));
    }
    let more = invalidity_and_hold(revocation).map_err(|stack| failed(&stack))?;
    extensions.extend(more);
    match extensions.is_empty() {
        true => Ok(extensions),
        false => Ok(encode::element(tag::SEQUENCE, &[&extensions])),
    }
}

/// An extension of an entry.
fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    let oid = encode::element(tag::OID, &[oid]);
    let value = encode::element(tag::OCTET_STRING, &[value]);
    encode::element(tag::SEQUENCE, &[&oid, &value])
}

/// The extensions that say since when a key is compromised, and what is to be done about a hold.
pub(super) fn invalidity_and_hold(
    revocation: &Revocation,
) -> std::result::Result<Vec<u8>, ErrorStack> {
    let mut extensions = Vec::new();
    if let Some(since) = &revocation.since {
        let value = encode::element(tag::GENERALIZED_TIME, &[since.as_bytes()]);
        extensions.extend(extension(INVALIDITY_DATE, &value));
    }
    if let Some(hold) = &revocation.hold {
        let object = Asn1Object::from_str(hold)?;
        let value = encode::element(tag::OID, &[object.as_slice()]);
        extensions.extend(extension(HOLD_INSTRUCTION, &value));
    }
    Ok(extensions)
}

/// The number in the content of an INTEGER.
pub(crate) fn number(content: &[u8]) -> Serial {
    match content.first() {
        Some(0x80..) => {
            let turned: Vec<u8> = content.iter().map(|byte| !byte).collect();
            let above = Serial::from_magnitude(&turned, false).next();
            Serial::from_magnitude(above.magnitude(), true)
        }
        _ => Serial::from_magnitude(content, false),
    }
}

/// Adds a time as certificates hold it; `text` is how the index has it.
fn put_time(to: &mut Vec<u8>, text: &str, seconds: i64) {
    // The short form is the one of certificates already, but for the second that a leap second is not.
    if text.len() == 13 && !text.ends_with("60Z") {
        return encode::put(to, tag::UTC_TIME, text.as_bytes());
    }
    let text = time::asn1(seconds).unwrap_or_default();
    let kind = match text.len() {
        13 => tag::UTC_TIME,
        _ => tag::GENERALIZED_TIME,
    };
    encode::put(to, kind, text.as_bytes());
}

/// Puts the list together and signs it.
pub(super) fn assemble(authority: &Authority, plan: &Plan<'_>, entries: Entries) -> Result<List> {
    let issuer = authority.certificate()?;
    let empty = empty(authority, plan, issuer, entries.extended)?;
    let outer = der::one(&empty).and_then(|list| list.open(tag::SEQUENCE));
    let outer = outer.unwrap_or_default();
    let [inner, algorithm, _] = outer.as_slice() else {
        return Err(Error::failed(
            Reason::CaCreate,
            "OpenSSL made a list that can't be read",
        ));
    };
    let parts = inner.open(tag::SEQUENCE).unwrap_or_default();
    // The entries come before the extensions, if there are any.
    let (before, after): (Vec<&Element<'_>>, Vec<&Element<'_>>) = parts
        .iter()
        .partition(|part| part.tag != tag::constructed(0));
    let joined = |parts: Vec<&Element<'_>>| -> Vec<u8> {
        let wholes: Vec<&[u8]> = parts.iter().map(|part| part.whole).collect();
        wholes.concat()
    };
    let (before, after) = (joined(before), joined(after));
    let listed = match entries.count {
        // An empty list has no field of entries at all.
        0 => Vec::new(),
        _ => encode::header(tag::SEQUENCE, entries.bytes.len()),
    };
    let len = before.len() + listed.len() + entries.bytes.len() + after.len();
    let signed_head = [encode::header(tag::SEQUENCE, len), before, listed].concat();
    let to_sign: [&[u8]; 3] = [&signed_head, &entries.bytes, &after];
    let signature = authority.signer().bytes(&to_sign);
    let signature = signature.map_err(|refused| unsigned("revocation list", &refused))?;
    let signature = encode::element(tag::BIT_STRING, &[&[0], &signature]);
    let tail = [&after, algorithm.whole, &signature].concat();
    let len = signed_head.len() + entries.bytes.len() + tail.len();
    Ok(List {
        head: [encode::header(tag::SEQUENCE, len), signed_head].concat(),
        entries,
        tail,
    })
}

/// An empty list with everything but entries, signed so that it tells its algorithm.
fn empty(authority: &Authority, plan: &Plan<'_>, issuer: &X509, extended: bool) -> Result<Vec<u8>> {
    let list = frame(plan, issuer).map_err(|stack| failed(&stack))?;
    if let Some((conf, section)) = plan.extensions {
        x509_draft::add_to_crl(conf, section, issuer, &list)
            .map_err(|entries| bad_section(section, &entries))?;
    }
    let append = |kind: &str, critical: bool, number: &Serial| {
        let value = encode::integer(number.magnitude(), number.is_negative());
        let value = Asn1OctetString::new_from_bytes(&value)?;
        let kind = Asn1Object::from_str(kind)?;
        let extension = X509Extension::new_from_der(&kind, critical, &value)?;
        x509_draft::append_to_crl(&list, &extension)
    };
    if let Some(number) = &plan.number {
        append("crlNumber", false, number).map_err(|stack| failed(&stack))?;
    }
    if let Some(base) = &plan.base {
        append("deltaCRL", true, base).map_err(|stack| failed(&stack))?;
        // Where to find delta lists is for complete ones to say.
        let kind = Asn1Object::from_str("freshestCRL").map_err(|stack| failed(&stack))?;
        x509_draft::remove_from_crl(&list, &kind);
    }
    let second = plan.extensions.is_some() || plan.number.is_some() || extended;
    if second {
        x509_draft::set_crl_version(&list, 1).map_err(|stack| failed(&stack))?;
    }
    let signed = authority.signer().crl(&list);
    signed.map_err(|refused| unsigned("revocation list", &refused))?;
    list.to_der().map_err(|stack| failed(&stack))
}

/// A list with its issuer and its times.
fn frame(plan: &Plan<'_>, issuer: &X509) -> std::result::Result<X509Crl, ErrorStack> {
    let moment = |seconds| match time::asn1(seconds) {
        Ok(text) => Asn1Time::from_str(&text),
        Err(_) => Err(ErrorStack::get()),
    };
    x509_draft::new_crl(
        issuer.subject_name(),
        &*moment(plan.this_update)?,
        &*moment(plan.next_update)?,
    )
}

/// The error for a failure of OpenSSL that no input explains.
fn failed(stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    Error::failed(
        Reason::CaCreate,
        format!("can't make the revocation list: {why}"),
    )
}
