//! What the bodies of CMP requests ask for, read without OpenSSL (pure), and requests made of it for an authority.

use super::header::{body, split};
use super::names::Information;
use crate::x509::der::{Element, elements, integer, oid, one, tag, wrap};
use crate::x509::time;

/// A wish for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The encoded subject; that of an empty name where none is given.
    pub(crate) subject: Vec<u8>,
    /// The encoded public key.
    pub(crate) key: Vec<u8>,
    /// The encoded extensions, with their types.
    pub(crate) extensions: Vec<(String, Vec<u8>)>,
    /// When the certificate is to begin.
    pub(crate) begin: Option<i64>,
    /// When it is to end.
    pub(crate) end: Option<i64>,
    /// How the possession of the key is proven.
    pub(crate) proof: Proof,
    /// The certificate that is to be updated: encoded issuer, and serial number.
    pub(crate) old: Option<(Vec<u8>, Vec<u8>)>,
    /// The whole as a PKCS#10 request, whose signature means something only for [`body::P10CR`].
    pub(crate) request: Vec<u8>,
}

/// How the possession of a key is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Not at all.
    None,
    /// By the word of a registration authority.
    Authority,
    /// By a signature.
    Signature,
    /// In another way.
    Other,
}

impl Proof {
    /// The proof in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Authority => "raVerified",
            Self::Signature => "signature",
            Self::Other => "other",
        }
    }
}

impl Demand {
    /// Whether the certificate is to be an authority's; also if that can't be told for certain.
    pub(crate) fn wants_authority(&self) -> bool {
        /// basicConstraints
        const CONSTRAINTS: &str = "2.5.29.19";
        let is_leaf = |whole: &[u8]| {
            let parts = one(whole)?.open(tag::SEQUENCE)?;
            let value = one(parts.last()?.expect(tag::OCTET_STRING)?)?;
            let fields = value.open(tag::SEQUENCE)?;
            let first = fields.first();
            Some(!first.is_some_and(|field| field.tag == tag::BOOLEAN && field.content != [0]))
        };
        let mut all = self.extensions.iter();
        all.any(|(kind, whole)| kind == CONSTRAINTS && is_leaf(whole) != Some(true))
    }
}

/// A wish for a revocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recall {
    /// The encoded issuer.
    pub(crate) issuer: Option<Vec<u8>>,
    /// The serial number.
    pub(crate) serial: Option<Vec<u8>>,
    /// The encoded subject.
    pub(crate) subject: Option<Vec<u8>>,
    /// The encoded public key.
    pub(crate) key: Option<Vec<u8>>,
    /// The reason.
    pub(crate) reason: Option<i64>,
}

/// What a client says to a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The hash of the certificate.
    pub(crate) hash: Vec<u8>,
    /// Whether it is accepted.
    pub(crate) accepted: bool,
}

/// The tagged fields of a certificate template.
struct Template<'a>(Vec<Element<'a>>);

impl<'a> Template<'a> {
    /// A field.
    fn field(&self, number: u8) -> Option<Element<'a>> {
        let tags = [tag::context(number), tag::constructed(number)];
        self.0
            .iter()
            .find(|field| tags.contains(&field.tag))
            .copied()
    }

    /// The encoding of a field that is a choice, and so has a tag of its own inside.
    fn choice(&self, number: u8) -> Option<Vec<u8>> {
        Some(one(self.field(number)?.content)?.whole.to_vec())
    }

    /// The encoded public key.
    fn key(&self) -> Option<Vec<u8>> {
        Some(wrap(tag::SEQUENCE, self.field(6)?.content))
    }
}

/// The encoded extensions of a list, with their types.
fn extensions(list: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let read = |item: Element<'_>| {
        let parts = item.open(tag::SEQUENCE)?;
        let kind = oid(parts.first()?.expect(tag::OID)?)?;
        Some((kind, item.whole.to_vec()))
    };
    elements(list)?.into_iter().map(read).collect()
}

/// One of the two times of a template.
fn moment(validity: &[Element<'_>], number: u8) -> Option<i64> {
    let mut all = validity.iter();
    let field = all.find(|field| field.tag == tag::constructed(number))?;
    time::seconds(one(field.content)?)
}

/// The certificate that the controls of a request want to have updated.
fn old_certificate(controls: Element<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    /// id-regCtrl-oldCertID
    const OLD: &str = "1.3.6.1.5.5.7.5.1.5";
    /// The alternative of a GeneralName that is a directory name.
    const DIRECTORY: u8 = tag::constructed(4);
    controls
        .open(tag::SEQUENCE)?
        .into_iter()
        .find_map(|control| {
            let parts = control.open(tag::SEQUENCE)?;
            let kind = oid(parts.first()?.expect(tag::OID)?)?;
            if kind != OLD {
                return None;
            }
            let id = parts.get(1)?.open(tag::SEQUENCE)?;
            let issuer = one(id.first()?.expect(DIRECTORY)?)?.whole.to_vec();
            Some((issuer, id.get(1)?.expect(tag::INTEGER)?.to_vec()))
        })
}

/// The only element of a list.
fn only<'a>(list: Element<'a>) -> Option<Element<'a>> {
    match list.open(tag::SEQUENCE)?.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

/// The certificate that a message asks for; `None` if it asks for none, or for several.
pub(crate) fn demand(bytes: &[u8]) -> Option<Demand> {
    let part = split(bytes)?.body;
    let inner = one(part.content)?;
    match part.tag & 0x1f {
        body::P10CR => pkcs10(inner),
        body::IR | body::CR | body::KUR => crmf(only(inner)?),
        _ => None,
    }
}

/// Whether a message asks for a certificate without saying for which key: one is to be made for it.
pub(crate) fn wants_key(bytes: &[u8]) -> bool {
    let read = || {
        let part = split(bytes)?.body;
        if ![body::IR, body::CR, body::KUR].contains(&(part.tag & 0x1f)) {
            return None;
        }
        let message = only(one(part.content)?)?.open(tag::SEQUENCE)?;
        let request = message.first()?.open(tag::SEQUENCE)?;
        let template = Template(request.get(1)?.open(tag::SEQUENCE)?);
        // A field that has an algorithm and no key counts as none.
        Some(template.field(6).is_none_or(|key| {
            let bits = elements(key.content).and_then(|parts| Some(parts.last()?.content.len()));
            bits.is_none_or(|length| length <= 1)
        }))
    };
    read().unwrap_or(false)
}

/// A request by PKCS#10.
fn pkcs10(request: Element<'_>) -> Option<Demand> {
    /// The attribute that holds extensions.
    const WISHES: &str = "1.2.840.113549.1.9.14";
    let parts = request.open(tag::SEQUENCE)?;
    let info = parts.first()?.open(tag::SEQUENCE)?;
    let [_, subject, key, rest @ ..] = info.as_slice() else {
        return None;
    };
    let mut wishes = Vec::new();
    for attribute in elements(rest.first().map_or(&[], |list| list.content))? {
        let parts = attribute.open(tag::SEQUENCE)?;
        if oid(parts.first()?.expect(tag::OID)?)? == WISHES {
            let values = parts.get(1)?.open(tag::SET)?;
            wishes.extend(extensions(values.first()?.expect(tag::SEQUENCE)?)?);
        }
    }
    Some(Demand {
        subject: subject.whole.to_vec(),
        key: key.whole.to_vec(),
        extensions: wishes,
        begin: None,
        end: None,
        proof: Proof::Signature,
        old: None,
        request: request.whole.to_vec(),
    })
}

/// A request by CRMF.
fn crmf(message: Element<'_>) -> Option<Demand> {
    let parts = message.open(tag::SEQUENCE)?;
    let request = parts.first()?.open(tag::SEQUENCE)?;
    let [_, template, controls @ ..] = request.as_slice() else {
        return None;
    };
    let template = Template(template.open(tag::SEQUENCE)?);
    let validity = match template.field(4) {
        Some(field) => elements(field.content)?,
        None => Vec::new(),
    };
    let wishes = match template.field(9) {
        Some(list) => extensions(list.content)?,
        None => Vec::new(),
    };
    let subject = template.choice(5);
    let subject = subject.unwrap_or_else(|| wrap(tag::SEQUENCE, &[]));
    let key = template.key()?;
    // What follows may be the proof, or information for registration alone.
    let proof = match parts.get(1).map(|proof| proof.tag & 0xbf) {
        Some(0x80) => Proof::Authority,
        Some(0x81 | 0xa1) => Proof::Signature,
        Some(0x82 | 0x83 | 0xa2 | 0xa3) => Proof::Other,
        _ => Proof::None,
    };
    Some(Demand {
        request: unsigned_request(&subject, &key, &wishes),
        begin: moment(&validity, 0),
        end: moment(&validity, 1),
        old: controls.first().and_then(|list| old_certificate(*list)),
        extensions: wishes,
        proof,
        subject,
        key,
    })
}

/// A PKCS#10 request without a signature, which authorities understand.
fn unsigned_request(subject: &[u8], key: &[u8], extensions: &[(String, Vec<u8>)]) -> Vec<u8> {
    /// 1.2.840.113549.1.9.14, the attribute that holds extensions.
    const WISHES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
    /// 1.3.6.1.5.5.7.6.2, which says that there is no signature.
    const NO_SIGNATURE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 6, 2];
    let attributes = match extensions {
        [] => Vec::new(),
        extensions => {
            let all: Vec<u8> = extensions.iter().flat_map(|(_, one)| one.clone()).collect();
            let values = wrap(tag::SET, &wrap(tag::SEQUENCE, &all));
            wrap(tag::SEQUENCE, &[wrap(tag::OID, WISHES), values].concat())
        }
    };
    let version = wrap(tag::INTEGER, &[0]);
    let attributes = wrap(tag::constructed(0), &attributes);
    let info = [&version, subject, key, &attributes].concat();
    let algorithm = wrap(tag::SEQUENCE, &wrap(tag::OID, NO_SIGNATURE));
    let whole = [
        wrap(tag::SEQUENCE, &info),
        algorithm,
        wrap(tag::BIT_STRING, &[0]),
    ];
    wrap(tag::SEQUENCE, &whole.concat())
}

/// The revocation that a message asks for; `None` if it asks for none, or for several.
pub(crate) fn recall(bytes: &[u8]) -> Option<Recall> {
    /// 2.5.29.21
    const REASON: &str = "2.5.29.21";
    let part = split(bytes)?.body;
    let details = only(one(part.expect(tag::constructed(body::RR))?)?)?;
    let details = details.open(tag::SEQUENCE)?;
    let template = Template(details.first()?.open(tag::SEQUENCE)?);
    let entry = match details.get(1) {
        Some(list) => extensions(list.expect(tag::SEQUENCE)?)?,
        None => Vec::new(),
    };
    let reason = entry.iter().find(|(kind, _)| kind == REASON);
    let reason = match reason {
        Some((_, extension)) => {
            let parts = one(extension)?.open(tag::SEQUENCE)?;
            let value = one(parts.last()?.expect(tag::OCTET_STRING)?)?;
            Some(integer(value.expect(tag::ENUMERATED)?)?)
        }
        None => None,
    };
    Some(Recall {
        issuer: template.choice(3),
        serial: template.field(1).map(|field| field.content.to_vec()),
        subject: template.choice(5),
        key: template.key(),
        reason,
    })
}

/// What a confirmation says: nothing stands for a refusal of everything. `None` if it is no confirmation.
pub(crate) fn verdicts(bytes: &[u8]) -> Option<Vec<Verdict>> {
    let part = split(bytes)?.body;
    let list = one(part.expect(tag::constructed(body::CERTCONF))?)?;
    let read = |item: &Element<'_>| {
        let parts = item.open(tag::SEQUENCE)?;
        let status = parts.iter().skip(2).find(|part| part.tag == tag::SEQUENCE);
        let accepted = match status {
            Some(status) => {
                let fields = status.open(tag::SEQUENCE)?;
                // Accepted, or granted with changes.
                matches!(fields.first()?.expect(tag::INTEGER)?, [0 | 1])
            }
            None => true,
        };
        Some(Verdict {
            hash: parts.first()?.expect(tag::OCTET_STRING)?.to_vec(),
            accepted,
        })
    };
    list.open(tag::SEQUENCE)?.iter().map(read).collect()
}

/// What a general message asks; none if it is no such message.
pub(crate) fn questions(bytes: &[u8]) -> Vec<Information> {
    let read = || {
        let part = split(bytes)?.body;
        let list = one(part.expect(tag::constructed(body::GENM))?)?;
        informations(list)
    };
    read().unwrap_or_default()
}

/// The pieces of information in a list.
pub(super) fn informations(list: Element<'_>) -> Option<Vec<Information>> {
    let piece = |item: &Element<'_>| {
        let parts = item.open(tag::SEQUENCE)?;
        Some(Information {
            kind: oid(parts.first()?.expect(tag::OID)?)?,
            value: parts.get(1).map(|value| value.whole.to_vec()),
        })
    };
    list.open(tag::SEQUENCE)?.iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with a body.
    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let name = wrap(0xa4, &wrap(tag::SEQUENCE, &[]));
        let header = [wrap(tag::INTEGER, &[2]), name.clone(), name].concat();
        let part = wrap(tag::constructed(kind), content);
        wrap(
            tag::SEQUENCE,
            &[wrap(tag::SEQUENCE, &header), part].concat(),
        )
    }

    /// An encoded name that is told by one byte.
    fn name(byte: u8) -> Vec<u8> {
        wrap(tag::SEQUENCE, &wrap(tag::SET, &[byte]))
    }

    #[test]
    fn a_template_becomes_a_request() {
        let key = wrap(0xa6, &[tag::OCTET_STRING, 1, 9]);
        let validity = wrap(0xa4, &wrap(0xa1, b"\x18\x0f20300101000000Z"));
        let wish = wrap(
            tag::SEQUENCE,
            &[
                wrap(tag::OID, &[0x55, 29, 17]),
                wrap(tag::OCTET_STRING, &[0x30, 0]),
            ]
            .concat(),
        );
        let template = [validity, wrap(0xa5, &name(7)), key, wrap(0xa9, &wish)].concat();
        let request = [wrap(tag::INTEGER, &[0]), wrap(tag::SEQUENCE, &template)].concat();
        let whole = |proof: &[u8]| {
            let one = [wrap(tag::SEQUENCE, &request), proof.to_vec()].concat();
            message(body::IR, &wrap(tag::SEQUENCE, &wrap(tag::SEQUENCE, &one)))
        };
        let read = demand(&whole(&[0x80, 0])).unwrap();
        assert_eq!(read.proof, Proof::Authority);
        assert_eq!(read.subject, name(7));
        assert_eq!(read.end, Some(1_893_456_000));
        assert_eq!(read.begin, None);
        assert_eq!(read.extensions, [("2.5.29.17".to_owned(), wish)]);
        let again = pkcs10(one(&read.request).unwrap()).unwrap();
        assert_eq!(
            (again.subject, again.key, again.extensions),
            (read.subject, read.key, read.extensions)
        );
        assert_eq!(demand(&whole(&[])).unwrap().proof, Proof::None);
        assert_eq!(demand(&whole(&[0xa1, 0])).unwrap().proof, Proof::Signature);
    }

    #[test]
    fn an_authority_is_known_by_its_constraints() {
        let wish = |value: &[u8]| {
            let parts = [
                wrap(tag::OID, &[0x55, 29, 19]),
                wrap(tag::OCTET_STRING, value),
            ];
            let whole = wrap(tag::SEQUENCE, &parts.concat());
            let extensions = extensions(&whole).unwrap();
            let request = unsigned_request(&name(1), &name(2), &extensions);
            pkcs10(one(&request).unwrap()).unwrap().wants_authority()
        };
        assert!(!wish(&[0x30, 0]));
        assert!(!wish(&[0x30, 3, 1, 1, 0]));
        assert!(wish(&[0x30, 3, 1, 1, 0xff]));
        assert!(wish(&[0x30, 6, 1, 1, 1, 2, 1, 0]));
        assert!(wish(&[5, 0]));
    }

    #[test]
    fn a_recall_has_its_reason() {
        let template = [vec![0x81, 1, 5], wrap(0xa3, &name(1))].concat();
        let reason = [
            wrap(tag::OID, &[0x55, 29, 21]),
            wrap(tag::OCTET_STRING, &[tag::ENUMERATED, 1, 4]),
        ]
        .concat();
        let entry = wrap(tag::SEQUENCE, &wrap(tag::SEQUENCE, &reason));
        let details = [wrap(tag::SEQUENCE, &template), entry].concat();
        let list = wrap(tag::SEQUENCE, &wrap(tag::SEQUENCE, &details));
        let read = recall(&message(body::RR, &list)).unwrap();
        assert_eq!(read.reason, Some(4));
        assert_eq!(read.serial, Some(vec![5]));
        assert_eq!(read.issuer, Some(name(1)));
        assert_eq!(recall(&message(body::IR, &list)), None);
    }

    #[test]
    fn confirmations_accept_or_refuse() {
        let hash = wrap(tag::OCTET_STRING, b"hash");
        let number = wrap(tag::INTEGER, &[0]);
        let status = |status: u8| wrap(tag::SEQUENCE, &wrap(tag::INTEGER, &[status]));
        let read = |list: &[u8]| {
            let content = wrap(tag::SEQUENCE, list);
            verdicts(&message(body::CERTCONF, &content))
                .unwrap()
                .iter()
                .map(|one| one.accepted)
                .collect::<Vec<_>>()
        };
        let plain = wrap(tag::SEQUENCE, &[hash.clone(), number.clone()].concat());
        let good = wrap(
            tag::SEQUENCE,
            &[hash.clone(), number.clone(), status(0)].concat(),
        );
        let bad = wrap(tag::SEQUENCE, &[hash, number, status(2)].concat());
        assert_eq!(read(&[plain, good, bad].concat()), [true, true, false]);
        assert!(read(&[]).is_empty());
    }

    #[test]
    fn nonsense_is_nothing() {
        for kind in 0..27 {
            for content in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"\x04\x01x"] {
                let bytes = message(kind, content);
                assert_eq!(demand(&bytes), None);
                assert_eq!(recall(&bytes), None);
                assert!(questions(&bytes).is_empty());
            }
        }
    }
}
