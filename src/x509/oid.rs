//! Names of object identifiers, from OpenSSL's table.

use openssl::asn1::Asn1Object;
use openssl::nid::Nid;

/// The long name, e.g. `sha256WithRSAEncryption`; the identifier itself if OpenSSL has no name for it.
pub(crate) fn long_name(oid: &str) -> String {
    let name = nid(oid).and_then(|nid| nid.long_name().ok());
    name.unwrap_or(oid).to_owned()
}

/// The short name, e.g. `CN`; the identifier itself if OpenSSL has no name for it.
pub(crate) fn short_name(oid: &str) -> String {
    let name = nid(oid).and_then(|nid| nid.short_name().ok());
    name.unwrap_or(oid).to_owned()
}

/// OpenSSL's number for an identifier in dotted decimals.
fn nid(oid: &str) -> Option<Nid> {
    if !oid
        .bytes()
        .all(|byte| byte == b'.' || byte.is_ascii_digit())
    {
        return None;
    }
    let nid = Asn1Object::from_str(oid).ok()?.nid();
    (nid != Nid::UNDEF).then_some(nid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_identifiers_name_themselves() {
        assert_eq!(long_name("2.5.4.3"), "commonName");
        assert_eq!(short_name("2.5.4.3"), "CN");
        for unknown in ["1.2.3.4.5.6.7", "#88", "", "99.99.99", "\0", "..."] {
            assert_eq!(long_name(unknown), unknown);
            assert_eq!(short_name(unknown), unknown);
        }
    }
}
