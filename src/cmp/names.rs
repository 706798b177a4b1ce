//! What certificate requests want, from the program's words to encodings: alternative names, policies, and pieces of
//! general information (pure, apart from OpenSSL's table of object identifiers).

use std::net::IpAddr;

use openssl::asn1::Asn1Object;
use openssl::nid::Nid;

use crate::x509::Problem;
use crate::x509::der::{tag, wrap};

/// The items of a list that is separated by commas, white space, or both.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|item| !item.is_empty())
}

/// An alternative name as an encoded GeneralName: an IP address, a URI, a mail address, or else the name of a host.
pub(crate) fn alternative_name(text: &str) -> Result<Vec<u8>, Problem> {
    /// The tags of the alternatives.
    const EMAIL: u8 = 0x81;
    const DNS: u8 = 0x82;
    const URI: u8 = 0x86;
    const IP: u8 = 0x87;
    if !text.is_ascii() {
        return Err(Problem::new(format!("\"{text}\" isn't ASCII")));
    }
    Ok(match text.parse() {
        Ok(IpAddr::V4(address)) => wrap(IP, &address.octets()),
        Ok(IpAddr::V6(address)) => wrap(IP, &address.octets()),
        Err(_) if text.contains(':') => wrap(URI, text.as_bytes()),
        Err(_) if text.contains('@') => wrap(EMAIL, text.as_bytes()),
        Err(_) => wrap(DNS, text.as_bytes()),
    })
}

/// An object identifier by number or name.
pub(crate) fn object(text: &str) -> Result<Asn1Object, Problem> {
    Asn1Object::from_str(text)
        .map_err(|_| Problem::new(format!("\"{text}\" isn't an object identifier")))
}

/// A policy as an encoded PolicyInformation.
pub(crate) fn policy(text: &str) -> Result<Vec<u8>, Problem> {
    Ok(wrap(
        tag::SEQUENCE,
        &wrap(tag::OID, object(text)?.as_slice()),
    ))
}

/// A type with its encoded value, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Information {
    /// The type, by number or name.
    pub(crate) kind: String,
    /// The encoded value.
    pub(crate) value: Option<Vec<u8>>,
}

/// The pieces of `OID:int:NUMBER, OID:str:TEXT, …`; the OID alone stands for a piece without a value.
pub(crate) fn general_information(text: &str) -> Result<Vec<Information>, Problem> {
    text.split(',')
        .map(|piece| {
            let piece = piece.trim();
            let mut parts = piece.splitn(3, ':');
            let kind = parts.next().unwrap_or_default().to_owned();
            object(&kind)?;
            let value = match (parts.next(), parts.next()) {
                (Some("int"), Some(number)) => {
                    let number: i64 = number.parse().map_err(|_| {
                        Problem::new(format!("\"{number}\" in \"{piece}\" isn't an integer"))
                    })?;
                    Some(integer(number))
                }
                (Some("str"), Some(text)) => Some(wrap(tag::UTF8, text.as_bytes())),
                _ => {
                    let message = format!("\"{piece}\" is neither OID:int:NUMBER nor OID:str:TEXT");
                    return Err(Problem::new(message));
                }
            };
            Ok(Information { kind, value })
        })
        .collect()
}

/// The name of a certificate profile in the header of a request.
pub(crate) fn profile(name: &str) -> Information {
    /// id-it-certProfile
    const KIND: &str = "1.3.6.1.5.5.7.4.21";
    Information {
        kind: KIND.to_owned(),
        value: Some(wrap(tag::SEQUENCE, &wrap(tag::UTF8, name.as_bytes()))),
    }
}

/// The types of general messages that libraries before 3.2 don't know by name.
const INFO_TYPES: &[(&str, &str)] = &[
    ("caCerts", "1.3.6.1.5.5.7.4.17"),
    ("rootCaKeyUpdate", "1.3.6.1.5.5.7.4.18"),
    ("certReqTemplate", "1.3.6.1.5.5.7.4.19"),
    ("rootCaCert", "1.3.6.1.5.5.7.4.20"),
    ("certProfile", "1.3.6.1.5.5.7.4.21"),
    ("crlStatusList", "1.3.6.1.5.5.7.4.22"),
    ("crls", "1.3.6.1.5.5.7.4.23"),
];

/// The object identifier of a name of `-infotype`.
pub(crate) fn info_type(name: &str) -> Result<String, Problem> {
    if name == "currentCRL" {
        return Ok("1.3.6.1.5.5.7.4.6".to_owned());
    }
    if let Some((_, number)) = INFO_TYPES.iter().find(|(known, _)| *known == name) {
        return Ok((*number).to_owned());
    }
    let full = format!("id-it-{name}");
    match Asn1Object::from_str(&full) {
        Ok(_) => Ok(full),
        Err(_) => Err(Problem::new(format!(
            "unknown type of information \"{name}\""
        ))),
    }
}

/// The name of a type of information without its prefix; its number where it has none.
pub(crate) fn info_name(oid: &str) -> String {
    if let Some((name, _)) = INFO_TYPES.iter().find(|(_, number)| *number == oid) {
        return (*name).to_owned();
    }
    let known = Asn1Object::from_str(oid).ok();
    let nid = known.map(|object| object.nid());
    let nid = nid.filter(|nid| *nid != Nid::UNDEF);
    let name = nid.and_then(|nid| nid.short_name().ok().map(str::to_owned));
    match name {
        Some(name) => name.strip_prefix("id-it-").unwrap_or(&name).to_owned(),
        None => oid.to_owned(),
    }
}

/// An encoded INTEGER.
pub(crate) fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let fill = match number < 0 {
        true => 0xff,
        false => 0,
    };
    let mut start = 0;
    while start < 7 && bytes[start] == fill && (bytes[start + 1] ^ fill) & 0x80 == 0 {
        start += 1;
    }
    wrap(tag::INTEGER, &bytes[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternative_names_of_all_kinds() {
        assert_eq!(
            alternative_name("10.0.0.1").unwrap(),
            [0x87, 4, 10, 0, 0, 1]
        );
        assert_eq!(alternative_name("::1").unwrap()[..2], [0x87, 16]);
        assert_eq!(alternative_name("a.b").unwrap(), b"\x82\x03a.b");
        assert_eq!(alternative_name("x:y").unwrap(), b"\x86\x03x:y");
        assert_eq!(alternative_name("x@y").unwrap(), b"\x81\x03x@y");
        assert!(alternative_name("ü").is_err());
        let all: Vec<_> = items(" a, b\tc,,d ").collect();
        assert_eq!(all, ["a", "b", "c", "d"]);
    }

    #[test]
    fn integers_are_as_short_as_can_be() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(-1), [2, 1, 255]);
        assert_eq!(integer(-129), [2, 2, 255, 127]);
        assert_eq!(integer(i64::MIN)[..2], [2, 8]);
    }

    #[test]
    fn general_information_in_the_programs_form() {
        let pieces = general_information("1.2.3:int:5, 1.2.4:str:a:b").unwrap();
        assert_eq!(pieces[0].value, Some(vec![2, 1, 5]));
        assert_eq!(pieces[1].value, Some(b"\x0c\x03a:b".to_vec()));
        for bad in [
            "",
            "1.2.3",
            "1.2.3:int:x",
            "1.2.3:bool:1",
            "nonsense words:int:1",
        ] {
            assert!(general_information(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn information_types_have_names() {
        assert_eq!(info_type("caCerts").unwrap(), "1.3.6.1.5.5.7.4.17");
        assert_eq!(
            info_type("signKeyPairTypes").unwrap(),
            "id-it-signKeyPairTypes"
        );
        assert!(info_type("nothing").is_err());
        assert_eq!(info_name("1.3.6.1.5.5.7.4.17"), "caCerts");
        assert_eq!(info_name("1.3.6.1.5.5.7.4.2"), "signKeyPairTypes");
        assert_eq!(info_name("1.2.3.4"), "1.2.3.4");
    }

    #[test]
    fn a_policy_is_an_object() {
        assert_eq!(policy("1.2.3").unwrap(), [0x30, 4, 6, 2, 42, 3]);
        assert!(policy("not one").is_err());
    }
}
