//! Mails as clients and lists write them.

use std::io::Cursor;

use super::*;

/// A signed mail's two parts, with `b` for boundary.
const PARTS: &str = "--b\nContent-Type: text/plain\n\nhello\n--b\n\
    Content-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\n\nAAEC\n--b--\n";

/// Finds the part in a mail, and the text that it covers.
fn found(mail: &str) -> io::Result<(Located, String)> {
    let located = locate(&mut Cursor::new(mail.as_bytes().to_vec()))?;
    let (Located::Whole { body: range, .. } | Located::Beside { content: range, .. }) = &located;
    let place = |offset: u64| usize::try_from(offset).unwrap();
    let covered = mail[place(range.start)..place(range.end)].to_owned();
    Ok((located, covered))
}

/// The covered text of a mail with these headers around [`PARTS`].
fn covered(headers: &str) -> String {
    found(&format!("{headers}\n\n{PARTS}")).unwrap().1
}

#[test]
fn headers_of_all_kinds_lead_to_the_signed_part() {
    for headers in [
        "Content-Type: multipart/signed; boundary=b",
        "CONTENT-TYPE: MULTIPART/SIGNED; BOUNDARY=\"b\"",
        "Subject: x\nContent-Type: multipart/signed;\n\tprotocol=\"application/pkcs7-signature\";\n boundary=\"b\"",
        "From me Mon Jan 1\nReceived: y\nContent-type : multipart/signed; boundary=b (the boundary)",
        "Content-Type: multipart/signed (signed (really)); micalg=\"sha-256\"; boundary=b",
        "Content-Type: multipart/signed; boundary*=us-ascii''%62",
        "Content-Type: multipart/signed; boundary*0=\"\"; boundary*1=b",
        "Content-Type: multipart/signed; boundary*1=b; boundary*0*=us-ascii'en'",
        "Content-Type: multipart/signed; boundary*0=a; boundary=b",
        "\nContent-Type: multipart/signed; boundary=b\n\npreamble",
    ] {
        assert_eq!(
            covered(headers),
            "Content-Type: text/plain\n\nhello",
            "{headers}"
        );
    }
}

#[test]
fn crlf_before_a_boundary_belongs_to_it() {
    let mail =
        format!("Content-Type: multipart/signed; boundary=b\n\n{PARTS}").replace('\n', "\r\n");
    assert_eq!(
        found(&mail).unwrap().1,
        "Content-Type: text/plain\r\n\r\nhello"
    );
}

#[test]
fn the_signed_part_is_found_inside_other_parts() {
    let signed = format!("Content-Type: multipart/signed; boundary=b\n\n{PARTS}");
    let list = format!(
        "Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: text/plain\n\nfirst\n--outer\n{signed}\n\
         --outer\nContent-Type: text/plain\n\nlist footer\n--outer--\n"
    );
    assert_eq!(found(&list).unwrap().1, "Content-Type: text/plain\n\nhello");
    let forwarded = format!("Content-Type: message/rfc822\n\nSubject: inner\n{signed}");
    assert_eq!(
        found(&forwarded).unwrap().1,
        "Content-Type: text/plain\n\nhello"
    );
}

#[test]
fn a_multipart_in_the_signed_part_is_covered_whole() {
    let inner = "Content-Type: multipart/alternative; boundary=i\n\n--i\n\na\n--i\n\nb\n--i--\n";
    let mail = format!(
        "Content-Type: multipart/signed; boundary=b\n\n--b\n{inner}\n--b\nContent-Type: application/x-pkcs7-signature\n\
         Content-Transfer-Encoding: base64\n\nAAEC\n"
    );
    let (located, text) = found(&mail).unwrap();
    assert_eq!(text, inner);
    assert!(matches!(located, Located::Beside { signature, .. } if signature == [0, 1, 2]));
}

#[test]
fn an_opaque_part_is_found_by_type_or_name() {
    for kind in [
        "Content-Type: application/pkcs7-mime; smime-type=signed-data",
        "Content-Type: application/x-pkcs7-mime",
        "Content-Type: application/octet-stream; name=\"SMIME.P7M\"",
        "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=smime.p7m",
    ] {
        let (located, text) = found(&format!(
            "{kind}\nContent-Transfer-Encoding: Base64\n\nAAEC\n"
        ))
        .unwrap();
        assert!(
            matches!(
                located,
                Located::Whole {
                    encoding: Encoding::Base64,
                    ..
                }
            ),
            "{kind}"
        );
        assert_eq!(text, "AAEC\n");
    }
}

#[test]
fn mail_without_such_a_part_is_an_error() {
    for mail in [
        "",
        "Subject: x\n\nhello\n",
        "Content-Type: multipart/mixed\n\nno boundary\n",
        "Content-Type: multipart/signed; boundary=b\n\n--b\n\nnever ends\n",
        "Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n",
    ] {
        assert!(found(mail).is_err(), "{mail}");
    }
}

#[test]
fn nesting_without_end_is_an_error() {
    assert!(found(&"Content-Type: message/rfc822\n\n".repeat(1000)).is_err());
}
