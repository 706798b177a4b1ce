//! The policy: which fields a subject must have, may have, or must share with the authority.
//!
//! Pure, on the DER of names: what it keeps, it keeps byte for byte.

use crate::x509::der::{self, tag};

use super::encode;

/// More attributes than this are no name but an attack.
const MOST: usize = 1000;

/// What a policy asks of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It must be there, with a value that the authority's own name has.
    Match,
    /// It must be there.
    Supplied,
    /// It may be there.
    Optional,
}

impl Rule {
    /// The rule of a word in the configuration.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "match" => Some(Self::Match),
            "supplied" => Some(Self::Supplied),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }

    /// The word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Supplied => "supplied",
            Self::Optional => "optional",
        }
    }
}

/// A line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The field's name as the policy writes it.
    pub(crate) name: String,
    /// Its object identifier, the content of its DER.
    pub(crate) oid: Vec<u8>,
    /// What is asked.
    pub(crate) rule: Rule,
}

/// An attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// Its type, the content of the object identifier's DER.
    pub(crate) oid: Vec<u8>,
    /// The ASN.1 type of its value.
    pub(crate) tag: u8,
    /// Its value.
    pub(crate) value: Vec<u8>,
    /// Which set of the name it belongs to.
    pub(crate) set: usize,
}

/// The object identifier of emailAddress.
pub(crate) const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

/// Why a name is refused: which field, what was wanted, and the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The field's name.
    pub(crate) field: String,
    /// What was wanted of it, in a word.
    pub(crate) wanted: &'static str,
    /// The sentence.
    pub(crate) message: String,
}

/// What a policy makes of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The attributes in the policy's order.
    pub(crate) kept: Vec<Attribute>,
    /// Those that it doesn't speak of.
    pub(crate) dropped: Vec<Attribute>,
}

/// The attributes of a name, given as DER; `None` if it is no name.
pub(crate) fn attributes(name: &[u8]) -> Option<Vec<Attribute>> {
    let sets = der::one(name)?.open(tag::SEQUENCE)?;
    let mut attributes = Vec::new();
    for (set, members) in sets.into_iter().enumerate() {
        for member in members.open(tag::SET)? {
            let parts = member.open(tag::SEQUENCE)?;
            let [kind, value] = parts.as_slice() else {
                return None;
            };
            attributes.push(Attribute {
                oid: kind.expect(tag::OID)?.to_vec(),
                tag: value.tag,
                value: value.content.to_vec(),
                set,
            });
        }
    }
    Some(attributes)
}

/// The DER of a name of these attributes; neighbours of the same set stay together.
pub(crate) fn name(attributes: &[Attribute]) -> Vec<u8> {
    let mut sets = Vec::new();
    for group in attributes.chunk_by(|one, other| one.set == other.set) {
        let mut members: Vec<Vec<u8>> = group
            .iter()
            .map(|attribute| {
                let kind = encode::element(tag::OID, &[&attribute.oid]);
                let value = encode::element(attribute.tag, &[&attribute.value]);
                encode::element(tag::SEQUENCE, &[&kind, &value])
            })
            .collect();
        // DER orders the members of a set.
        members.sort();
        sets.extend(encode::element(tag::SET, &[&members.concat()]));
    }
    encode::element(tag::SEQUENCE, &[&sets])
}

/// Checks the strings of a name as OpenSSL does, and for what no name should hold.
///
/// `shown` gives a field's name; with `without_email` an email address isn't looked at.
pub(crate) fn check_strings(
    attributes: &[Attribute],
    without_email: bool,
    shown: &dyn Fn(&[u8]) -> String,
) -> Result<(), Violation> {
    let refuse = |attribute: &Attribute, wanted, why: &str| {
        let field = shown(&attribute.oid);
        let message = format!("the field {field} of the request {why}");
        Err(Violation {
            field,
            wanted,
            message,
        })
    };
    if attributes.len() > MOST {
        return Err(Violation {
            field: "subject".to_owned(),
            wanted: "short",
            message: format!("the subject of the request has more than {MOST} attributes"),
        });
    }
    for attribute in attributes {
        let email = attribute.oid == EMAIL;
        if email && without_email {
            continue;
        }
        if email && attribute.tag != tag::IA5 {
            return refuse(attribute, "IA5STRING", "must be an IA5STRING");
        }
        if has_null(attribute.tag, &attribute.value) {
            return refuse(attribute, "text", "holds a null character");
        }
        if matches!(attribute.tag, tag::BMP | tag::UTF8) {
            continue;
        }
        let smallest = smallest_type(&attribute.value);
        if smallest == tag::T61 && attribute.tag != tag::T61
            || smallest == tag::IA5 && attribute.tag == tag::PRINTABLE
        {
            return refuse(
                attribute,
                "text",
                "holds characters that its type doesn't have",
            );
        }
    }
    Ok(())
}

/// Whether a string of this type holds a null character, at which programs in C would take it to end.
fn has_null(kind: u8, value: &[u8]) -> bool {
    let width = match kind {
        tag::BMP => 2,
        tag::UNIVERSAL => 4,
        _ => 1,
    };
    let mut characters = value.chunks(width);
    characters.any(|character| character.iter().all(|byte| *byte == 0))
}

/// The smallest type of string that can hold these bytes.
fn smallest_type(bytes: &[u8]) -> u8 {
    let printable = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte);
    match bytes {
        bytes if !bytes.is_ascii() => tag::T61,
        bytes if bytes.iter().all(printable) => tag::PRINTABLE,
        _ => tag::IA5,
    }
}

/// What `-msie_hack` does: turns the strings of an old browser into such as others can read.
pub(crate) fn mend_strings(attributes: &mut [Attribute]) {
    for attribute in attributes {
        let email = attribute.oid == EMAIL;
        if attribute.tag == tag::UNIVERSAL {
            let (words, rest) = attribute.value.as_chunks::<4>();
            let narrow = words.iter().all(|word| word[..3] == [0; 3]);
            if narrow && rest.is_empty() {
                attribute.value = words.iter().map(|word| word[3]).collect();
                attribute.tag = smallest_type(&attribute.value);
            }
        }
        match attribute.tag {
            tag::IA5 if !email => attribute.tag = tag::T61,
            tag::PRINTABLE if email => attribute.tag = tag::IA5,
            _ => {}
        }
    }
}

/// Applies a policy to a name.
pub(crate) fn apply(
    fields: &[Field],
    subject: &[Attribute],
    authority: &[Attribute],
) -> Result<Verdict, Violation> {
    let mut verdict = Verdict::default();
    for field in fields {
        let mut found = subject
            .iter()
            .filter(|attribute| attribute.oid == field.oid)
            .peekable();
        if found.peek().is_none() && field.rule != Rule::Optional {
            return Err(violation(field, "needs to be supplied and is missing"));
        }
        for attribute in found {
            if field.rule == Rule::Match {
                check_match(field, attribute, authority)?;
            }
            let mut attribute = attribute.clone();
            // In the order of the policy each one stands by itself.
            attribute.set = verdict.kept.len();
            verdict.kept.push(attribute);
        }
    }
    let named = |attribute: &&Attribute| fields.iter().all(|field| field.oid != attribute.oid);
    verdict.dropped = subject.iter().filter(named).cloned().collect();
    Ok(verdict)
}

/// Whether the authority's name has this attribute.
fn check_match(
    field: &Field,
    wanted: &Attribute,
    authority: &[Attribute],
) -> Result<(), Violation> {
    let mut own = authority
        .iter()
        .filter(|own| own.oid == field.oid)
        .peekable();
    if own.peek().is_none() {
        return Err(violation(
            field,
            "must match the authority's name, which doesn't have it: the policy is misconfigured",
        ));
    }
    if own.any(|own| own.tag == wanted.tag && own.value == wanted.value) {
        return Ok(());
    }
    let of_ca: Vec<String> = authority
        .iter()
        .filter(|own| own.oid == field.oid)
        .map(|own| der::visible(&own.value))
        .collect();
    let why = format!(
        "must be the authority's, {}, and is {}",
        of_ca.join(" or "),
        der::visible(&wanted.value)
    );
    Err(violation(field, &why))
}

/// The refusal for a field.
fn violation(field: &Field, why: &str) -> Violation {
    Violation {
        field: field.name.clone(),
        wanted: field.rule.word(),
        message: format!("the field {} {why}", field.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u8, value: &str, set: usize) -> Attribute {
        Attribute {
            oid: vec![0x55, 4, kind],
            tag: tag::UTF8,
            value: value.as_bytes().to_vec(),
            set,
        }
    }

    fn field(kind: u8, rule: Rule) -> Field {
        Field {
            name: format!("field{kind}"),
            oid: vec![0x55, 4, kind],
            rule,
        }
    }

    #[test]
    fn fields_come_in_the_order_of_the_policy() {
        let subject = [
            attribute(10, "o", 0),
            attribute(3, "a", 1),
            attribute(3, "b", 1),
            attribute(7, "l", 2),
        ];
        let fields = [
            field(3, Rule::Supplied),
            field(10, Rule::Optional),
            field(6, Rule::Optional),
        ];
        let verdict = apply(&fields, &subject, &[]).unwrap();
        let kept: Vec<_> = verdict
            .kept
            .iter()
            .map(|kept| (kept.oid[2], kept.set))
            .collect();
        assert_eq!(kept, [(3, 0), (3, 1), (10, 2)]);
        assert_eq!(verdict.dropped, [attribute(7, "l", 2)]);
    }

    #[test]
    fn what_is_missing_or_different_is_refused() {
        let subject = [attribute(10, "o", 0)];
        let refused = |fields: &[Field], authority: &[Attribute]| {
            apply(fields, &subject, authority).unwrap_err()
        };
        let violation = refused(&[field(3, Rule::Supplied)], &[]);
        assert_eq!(
            (violation.field.as_str(), violation.wanted),
            ("field3", "supplied")
        );
        let violation = refused(&[field(10, Rule::Match)], &[]);
        assert!(violation.message.contains("misconfigured"));
        let violation = refused(&[field(10, Rule::Match)], &[attribute(10, "other", 0)]);
        assert_eq!(
            violation.message,
            "the field field10 must be the authority's, other, and is o"
        );
        let own = [attribute(10, "other", 0), attribute(10, "o", 1)];
        assert!(apply(&[field(10, Rule::Match)], &subject, &own).is_ok());
    }

    #[test]
    fn a_name_comes_back_with_its_sets() {
        let given = [
            attribute(10, "o", 0),
            attribute(3, "a", 1),
            attribute(7, "l", 1),
        ];
        assert_eq!(attributes(&name(&given)).unwrap(), given);
        assert_eq!(name(&[]), [0x30, 0]);
        assert_eq!(attributes(b"\x30\x01"), None);
    }

    #[test]
    fn strings_are_checked_as_openssl_checks_them() {
        let shown = |_: &[u8]| "x".to_owned();
        let with = |tag, value: &[u8]| Attribute {
            tag,
            value: value.to_vec(),
            ..attribute(3, "", 0)
        };
        let good = [
            with(tag::UTF8, "ä".as_bytes()),
            with(tag::T61, b"\xe4"),
            with(tag::IA5, b"a@b"),
            with(tag::BMP, b"\0a\x01\0\0b"),
        ];
        assert_eq!(check_strings(&good, false, &shown), Ok(()));
        for bad in [
            with(tag::PRINTABLE, b"a@b"),
            with(tag::PRINTABLE, b"\xe4"),
            with(tag::UTF8, b"a\0b"),
            with(tag::BMP, b"\0a\0\0\0b"),
            with(tag::UNIVERSAL, b"\0\0\0a\0\0\0\0\0\0\0b"),
        ] {
            assert!(check_strings(&[bad], false, &shown).is_err());
        }
        let email = Attribute {
            oid: EMAIL.to_vec(),
            ..with(tag::UTF8, b"a@b")
        };
        assert!(check_strings(std::slice::from_ref(&email), false, &shown).is_err());
        assert!(check_strings(&[email], true, &shown).is_ok());
        let many = vec![attribute(3, "a", 0); MOST + 1];
        assert!(check_strings(&many, false, &shown).is_err());
    }

    #[test]
    fn universal_strings_are_mended() {
        let mut names = [
            Attribute {
                tag: tag::UNIVERSAL,
                value: b"\0\0\0a\0\0\0@".to_vec(),
                ..attribute(3, "", 0)
            },
            Attribute {
                oid: EMAIL.to_vec(),
                tag: tag::PRINTABLE,
                ..attribute(3, "a", 1)
            },
        ];
        mend_strings(&mut names);
        assert_eq!(
            (names[0].tag, names[0].value.as_slice()),
            (tag::T61, &b"a@"[..])
        );
        assert_eq!(names[1].tag, tag::IA5);
    }
}
