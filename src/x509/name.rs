//! Distinguished names: the text forms that `tls::status` and the `openssl` program show, and names from text.
//!
//! OpenSSL prints; what it refuses to print, because a string in the name isn't what it claims to be, is shown as
//! the hexadecimal of its DER, so that a name is never empty by accident.

use std::ffi::{c_int, c_ulong};

use openssl::asn1::Asn1Object;
use openssl::x509::{X509Name, X509NameRef};

use super::Problem;
use crate::ossl::{print, x509_name};

/// How a name is written: OpenSSL's `ASN1_STRFLGS_` and `XN_FLAG_` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form(c_ulong);

/// Escape what RFC 2253 wants escaped.
const ESC_2253: c_ulong = 0x1;
/// Escape control characters.
const ESC_CTRL: c_ulong = 0x2;
/// Escape everything that isn't ASCII.
const ESC_MSB: c_ulong = 0x4;
/// Escape by quotes around the value.
const USE_QUOTE: c_ulong = 0x8;
/// Convert to UTF-8.
const UTF8: c_ulong = 0x10;
/// Show every value as hexadecimal.
const DUMP_ALL: c_ulong = 0x80;
/// Show values that are no strings as hexadecimal.
const DUMP_NOSTR: c_ulong = 0x100;
/// The hexadecimal is that of the whole DER.
const DUMP_DER: c_ulong = 0x200;
/// All the bits that say what is between two attributes.
const SEPARATOR: c_ulong = 0xf << 16;
/// `,` and `+`.
const COMMA_PLUS: c_ulong = 1 << 16;
/// `, ` and ` + `.
const COMMA_PLUS_SPACE: c_ulong = 2 << 16;
/// `; ` and ` + `.
const SEMICOLON_PLUS_SPACE: c_ulong = 3 << 16;
/// A line for each.
const MULTILINE: c_ulong = 4 << 16;
/// The most specific first.
const REVERSE: c_ulong = 1 << 20;
/// All the bits that say how an attribute's type is shown; none of them is the short name.
const FIELD: c_ulong = 3 << 21;
/// The long name.
const FIELD_LONG: c_ulong = 1 << 21;
/// The object identifier.
const FIELD_OID: c_ulong = 2 << 21;
/// Not at all.
const FIELD_NONE: c_ulong = 3 << 21;
/// Spaces around `=`.
const SPACE_EQ: c_ulong = 1 << 23;
/// Show values of unknown attributes as hexadecimal.
const DUMP_UNKNOWN: c_ulong = 1 << 24;
/// Columns.
const ALIGN: c_ulong = 1 << 25;

/// What both RFC 2253 and OpenSSL's oneline form do to a value.
const VALUE_2253: c_ulong = ESC_2253 | ESC_CTRL | ESC_MSB | UTF8 | DUMP_NOSTR | DUMP_DER;
/// OpenSSL's `RFC2253`.
const OPENSSL_2253: c_ulong = VALUE_2253 | COMMA_PLUS | REVERSE | DUMP_UNKNOWN;
/// OpenSSL's `oneline`.
const OPENSSL_ONELINE: c_ulong = VALUE_2253 | USE_QUOTE | COMMA_PLUS_SPACE | SPACE_EQ;
/// OpenSSL's `multiline`.
const OPENSSL_MULTILINE: c_ulong = ESC_CTRL | ESC_MSB | MULTILINE | SPACE_EQ | FIELD_LONG | ALIGN;

/// The words of `-nameopt`: each clears the bits of the second column and then sets those of the third.
const WORDS: &[(&str, c_ulong, c_ulong)] = &[
    ("esc_2253", 0, ESC_2253),
    ("esc_2254", 0, 0x400),
    ("esc_ctrl", 0, ESC_CTRL),
    ("esc_msb", 0, ESC_MSB),
    ("use_quote", 0, USE_QUOTE),
    ("utf8", 0, UTF8),
    ("ignore_type", 0, 0x20),
    ("show_type", 0, 0x40),
    ("dump_all", 0, DUMP_ALL),
    ("dump_nostr", 0, DUMP_NOSTR),
    ("dump_der", 0, DUMP_DER),
    ("compat", c_ulong::MAX, 0),
    ("sep_comma_plus", SEPARATOR, COMMA_PLUS),
    ("sep_comma_plus_space", SEPARATOR, COMMA_PLUS_SPACE),
    ("sep_semi_plus_space", SEPARATOR, SEMICOLON_PLUS_SPACE),
    ("sep_multiline", SEPARATOR, MULTILINE),
    ("dn_rev", 0, REVERSE),
    ("nofname", FIELD, FIELD_NONE),
    ("sname", FIELD, 0),
    ("lname", FIELD, FIELD_LONG),
    ("align", 0, ALIGN),
    ("oid", FIELD, FIELD_OID),
    ("space_eq", 0, SPACE_EQ),
    ("dump_unknown", 0, DUMP_UNKNOWN),
    ("RFC2253", c_ulong::MAX, OPENSSL_2253),
    ("oneline", c_ulong::MAX, OPENSSL_ONELINE),
    ("multiline", c_ulong::MAX, OPENSSL_MULTILINE),
    ("ca_default", c_ulong::MAX, OPENSSL_MULTILINE),
];

impl Form {
    /// RFC 2253 with letters outside ASCII as they are: the form of `tls::status`.
    pub(crate) const RFC_2253: Self = Self(OPENSSL_2253 & !ESC_MSB);

    /// What the `openssl` program shows without `-nameopt`.
    pub(crate) const ONELINE: Self = Self(OPENSSL_ONELINE);

    /// The form that the words of `-nameopt` describe, e.g. `RFC2253,utf8,-esc_msb`.
    pub(crate) fn parse(words: &str) -> Result<Self, Problem> {
        let read = print::form(WORDS, words);
        let mut bits = read.map_err(|word| Problem::new(unknown_word(&word)))?;
        if bits != 0 && bits & SEPARATOR == 0 {
            bits |= COMMA_PLUS_SPACE;
        }
        Ok(Self(bits))
    }

    /// The bits for OpenSSL.
    pub(crate) const fn bits(self) -> c_ulong {
        self.0
    }
}

/// The sentence about a word that `-nameopt` doesn't know.
fn unknown_word(word: &str) -> String {
    let names: Vec<_> = WORDS.iter().map(|(name, ..)| *name).collect();
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    let others = others.join(", ");
    format!("bad name option \"{word}\": must be {others}, or {last}")
}

/// A name in the given form; lines are indented by `indent`.
pub(crate) fn text(name: &X509NameRef, form: Form, indent: c_int) -> String {
    if form.bits() == 0 {
        return oneline(name);
    }
    let print = |bits| {
        let bytes = print::name(name, indent, bits)?;
        String::from_utf8(bytes).ok()
    };
    let readable = print(form.bits()).or_else(|| print(form.bits() | DUMP_ALL | DUMP_DER));
    readable.unwrap_or_default()
}

/// A name as `tls::status` shows it: RFC 2253, the most specific attribute first.
pub(crate) fn rfc_2253(name: &X509NameRef) -> String {
    text(name, Form::RFC_2253, 0)
}

/// A name as OpenSSL's oldest form, `/C=DE/O=x`, with anything but printable ASCII as `\xHH`.
pub(crate) fn oneline(name: &X509NameRef) -> String {
    let bytes = print::name_oneline(name).unwrap_or_default();
    bytes.into_iter().map(char::from).collect()
}

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// Its type: a short or long name, or an object identifier in dotted decimals.
    pub(crate) kind: String,
    /// Its value.
    pub(crate) value: String,
}

/// Takes apart a name as `-subj` gives it: `/C=DE/O=x/CN=a+OU=b`, `\` before a character that is meant literally.
///
/// Attributes with an empty value are left out, as `openssl` does. Pure.
pub(crate) fn parse_slash(text: &str) -> Result<Vec<Vec<Attribute>>, Problem> {
    let wrong = |why: &str| Problem::new(format!("bad name \"{text}\": {why}"));
    let body = text
        .strip_prefix('/')
        .ok_or_else(|| wrong("it must look like /type=value/type=value"))?;
    let mut sets: Vec<Vec<Attribute>> = Vec::new();
    let mut rest = body;
    let mut joined = false;
    while !rest.is_empty() {
        let (kind, after) = rest
            .split_once('=')
            .filter(|(kind, _)| !kind.contains('/'))
            .ok_or_else(|| wrong("there is a type without a value"))?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let mut end = None;
        while let Some((at, c)) = chars.next() {
            match c {
                '/' | '+' => {
                    end = Some((at, c == '+'));
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, literal)) => value.push(literal),
                    None => return Err(wrong("there is nothing after the last backslash")),
                },
                _ => value.push(c),
            }
        }
        let kind = kind.to_owned();
        let attribute = (!value.is_empty()).then_some(Attribute { kind, value });
        match sets.last_mut() {
            Some(set) if joined => set.extend(attribute),
            _ => sets.push(attribute.into_iter().collect()),
        }
        (rest, joined) = match end {
            Some((at, plus)) => (after.get(at + 1..).unwrap_or_default(), plus),
            None => ("", false),
        };
    }
    if joined {
        return Err(wrong("there is nothing after the last plus sign"));
    }
    sets.retain(|set| !set.is_empty());
    Ok(sets)
}

/// Makes a name of attributes. Types are short or long names or any object identifier; one that OpenSSL doesn't
/// know is a problem here, where the `openssl` program drops it with a warning.
pub(crate) fn build(sets: &[Vec<Attribute>]) -> Result<X509Name, Problem> {
    let refused =
        |stack: &dyn std::fmt::Display| Problem::new(format!("can't make the name: {stack}"));
    let builder = X509Name::builder().map_err(|stack| refused(&stack))?;
    let mut name = builder.build();
    for set in sets {
        for (index, Attribute { kind, value }) in set.iter().enumerate() {
            let known = !kind.is_empty() && !kind.contains('\0');
            let object = known.then(|| Asn1Object::from_str(kind).ok()).flatten();
            let object =
                object.ok_or_else(|| Problem::new(format!("unknown name attribute \"{kind}\"")))?;
            x509_name::add_entry(&mut name, &object, value, index > 0).map_err(|_| {
                Problem::new(format!("the name attribute {kind} can't be \"{value}\""))
            })?;
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::super::der;
    use super::*;
    use openssl::x509::X509NameBuilder;

    /// A name in slash form, made.
    fn made(text: &str) -> X509Name {
        build(&parse_slash(text).unwrap()).unwrap()
    }

    /// A name of one attribute, commonName, with the given element as its value.
    fn raw(value: &[u8]) -> Option<X509Name> {
        let pair = der::wrap(0x30, &[&[6, 3, 0x55, 4, 3], value].concat());
        X509Name::from_der(&der::wrap(0x30, &der::wrap(0x31, &pair))).ok()
    }

    #[test]
    fn forms_of_a_name() {
        let name = made(r"/C=DE/O=Müller \/ Co, KG/CN=a\+b+OU=x y/emailAddress=a@b.c/1.2.3.4=z");
        assert_eq!(
            rfc_2253(&name),
            r"1.2.3.4=#0C017A,emailAddress=a@b.c,OU=x y+CN=a\+b,O=Müller / Co\, KG,C=DE"
        );
        // Older releases of OpenSSL leave out the backslashes before what would end a value.
        assert_eq!(
            oneline(&name).replace(r"\/", "/").replace(r"\+", "+"),
            r"/C=DE/O=M\xC3\xBCller / Co, KG/CN=a+b+OU=x y/emailAddress=a@b.c/1.2.3.4=z"
        );
        let oneline = text(&name, Form::ONELINE, 0);
        assert!(
            oneline.starts_with(r#"C = DE, O = "M\C3\BCller / Co, KG", CN = "a+b" + OU = x y"#),
            "{oneline}"
        );
        let empty = X509NameBuilder::new().unwrap().build();
        assert_eq!(rfc_2253(&empty), "");
    }

    #[test]
    fn hostile_strings_stay_visible() {
        let shown = |value: &[u8]| raw(value).map(|name| rfc_2253(&name));
        let cases: &[(&[u8], &str)] = &[
            (b"\x0c\x09good\0evil", r"CN=good\00evil"),
            (b"\x13\x03a\nb", r"CN=a\0Ab"),
            (b"\x1e\x04\0a\x20\xac", "CN=a€"),
            (b"\x14\x02a\xeb", "CN=aë"),
            (b"\x03\x02\0a", "CN=#03020061"),
            (b"\x0c\0", "CN="),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(value).as_deref(), Some(*expected));
        }
        // OpenSSL doesn't read a certificate with such names at all.
        for refused in [&b"\x0c\x02\xff\xfe"[..], b"\x1e\x03\0ab", b"\x04\x01a"] {
            assert_eq!(shown(refused), None);
        }
        let surrogate = shown(b"\x1e\x02\xd8\0");
        assert!(surrogate.is_none_or(|shown| shown == "CN=#1E02D800"));
    }

    #[test]
    fn slash_form_is_checked() {
        let why = |text: &str| parse_slash(text).unwrap_err().to_string();
        assert_eq!(
            why("CN=x"),
            "bad name \"CN=x\": it must look like /type=value/type=value"
        );
        assert!(why("/CN").contains("type without a value"));
        assert!(why("/C/CN=x").contains("type without a value"));
        assert!(why(r"/CN=x\").contains("backslash"));
        assert!(why("/CN=x+").contains("plus sign"));
        assert_eq!(parse_slash("/").unwrap(), Vec::<Vec<Attribute>>::new());
        assert_eq!(rfc_2253(&made("/CN=/O=x/OU=")), "O=x");
        let unknown = build(&parse_slash("/nonsense=x").unwrap()).err().unwrap();
        assert_eq!(unknown.to_string(), "unknown name attribute \"nonsense\"");
        let long = build(&parse_slash("/C=Germany").unwrap()).err().unwrap();
        assert_eq!(
            long.to_string(),
            "the name attribute C can't be \"Germany\""
        );
    }

    #[test]
    fn name_options() {
        assert_eq!(Form::parse("rfc2253,-esc_msb").unwrap(), Form::RFC_2253);
        assert_eq!(Form::parse("oneline").unwrap(), Form::ONELINE);
        assert_eq!(Form::parse("compat").unwrap().bits(), 0);
        assert_eq!(
            Form::parse("utf8, esc_ctrl").unwrap().bits(),
            0x12 | COMMA_PLUS_SPACE
        );
        assert_ne!(Form::parse("ca_default").unwrap().bits(), 0);
        let error = Form::parse("oneline,nope").unwrap_err().to_string();
        assert!(
            error.starts_with("bad name option \"nope\": must be esc_2253, "),
            "{error}"
        );
        let name = made("/C=DE/CN=ë");
        let seen = |words| text(&name, Form::parse(words).unwrap(), 2);
        assert_eq!(seen("compat"), r"/C=DE/CN=\xC3\xAB");
        assert_eq!(seen("RFC2253"), r"  CN=\C3\AB,C=DE");
        assert_eq!(seen("utf8,nofname,sep_semi_plus_space"), "  DE; ë");
        assert!(seen("multiline").contains("\n  commonName                = "));
    }
}
