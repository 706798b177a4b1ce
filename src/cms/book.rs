//! What is known of mail addresses: certificates and ciphers, learned from verified messages; and what to encrypt with
//! for some of them.

use openssl::nid::Nid;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::verify::{Report, Verdict, stack};
use super::{ber, encoded_oid_name};
use crate::ossl::{chain, x509};
use crate::x509::{der, time};

/// What is known of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The address, in small letters.
    pub(crate) address: String,
    /// When the message was signed from which most of this comes, in seconds since 1970.
    pub(crate) time: i64,
    /// The ciphers that can be read there, if that is known.
    pub(crate) ciphers: Option<Vec<String>>,
    /// The certificates to encrypt for, DER, the preferred one first.
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// The ciphers that contents are encrypted with, strongest first: those that authenticate before those that don't.
const CIPHERS: &[&str] = &[
    "aes-256-gcm",
    "aes-192-gcm",
    "aes-128-gcm",
    "aes-256-cbc",
    "aes-192-cbc",
    "aes-128-cbc",
    "camellia-256-cbc",
    "camellia-192-cbc",
    "camellia-128-cbc",
    "des-ede3-cbc",
];

/// What everybody is taken to read of whom nothing is known.
const ASSUMED: &[&str] = &["aes-256-cbc", "aes-192-cbc", "aes-128-cbc"];

/// The encoded type of the attribute that names the certificate to encrypt for, without its tag.
const PREFERENCE: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 9, 16, 2, 11];

/// The strongest cipher that all can read; each is a list of ciphers, or nothing where nothing is known.
pub(crate) fn common_cipher<'e>(
    all: impl Iterator<Item = Option<&'e [String]>> + Clone,
) -> Option<&'static str> {
    CIPHERS.iter().copied().find(|cipher| {
        all.clone().all(|known| match known {
            Some(known) => known.iter().any(|one| one == cipher),
            None => ASSUMED.contains(cipher),
        })
    })
}

/// The ciphers of an encoded list of capabilities.
pub(crate) fn ciphers(list: &[u8]) -> Vec<String> {
    ber::elements(list)
        .flat_map(|(_, list)| ber::elements(list))
        .filter_map(|(_, one)| ber::elements(one).next())
        .map(|(_, oid)| encoded_oid_name(oid))
        .collect()
}

/// The mail addresses of a certificate, in small letters.
pub(crate) fn addresses(certificate: &X509Ref) -> Vec<String> {
    let alternative: Vec<String> = certificate
        .subject_alt_names()
        .iter()
        .flatten()
        .filter_map(|name| name.email().map(str::to_lowercase))
        .collect();
    let subject = certificate
        .subject_name()
        .entries_by_nid(Nid::PKCS9_EMAILADDRESS)
        .filter_map(|entry| entry.data().to_string().ok())
        .map(|address| address.to_lowercase());
    let mut addresses = alternative;
    addresses.extend(subject);
    addresses.sort();
    addresses.dedup();
    addresses
}

/// What a verified message tells about its signers.
pub(crate) fn learn(report: &Report, store: &X509Store, now: i64) -> Vec<Entry> {
    let verified = report
        .signers
        .iter()
        .filter(|signer| signer.error.is_none());
    verified
        .flat_map(|signer| learn_from(signer, report, store, now))
        .collect()
}

/// What is learned from one signer.
fn learn_from(signer: &Verdict, report: &Report, store: &X509Store, now: i64) -> Vec<Entry> {
    let Some(own) = &signer.certificate else {
        return Vec::new();
    };
    let signed = signer
        .time
        .as_deref()
        .and_then(der::one)
        .and_then(time::seconds);
    // Nobody signs in the future, to be believed for ever.
    let time = signed.unwrap_or(now).min(now);
    addresses(own)
        .into_iter()
        .map(|address| {
            let others = report.certificates.iter().filter(|other| {
                addresses(other).contains(&address) && is_trusted(other, store, report)
            });
            let mut usable: Vec<&X509> = std::iter::once(own)
                .chain(others)
                .filter(|one| is_for_encryption(one))
                .collect();
            usable.sort_by_key(|one| !prefers(&signer.attributes, one));
            let mut certificates: Vec<Vec<u8>> = Vec::new();
            for encoded in usable.iter().filter_map(|one| one.to_der().ok()) {
                if !certificates.contains(&encoded) {
                    certificates.push(encoded);
                }
            }
            Entry {
                address,
                time,
                ciphers: signer.capabilities.as_deref().map(ciphers),
                certificates,
            }
        })
        .collect()
}

/// Whether a certificate's chain is trusted as the signer's is.
fn is_trusted(certificate: &X509Ref, store: &X509Store, report: &Report) -> bool {
    stack(report.certificates.clone())
        .and_then(|others| chain::check(store, certificate, &others, &[], c"default"))
        .is_ok_and(|checked| checked.result == X509VerifyResult::OK)
}

/// Whether mail may be encrypted for a certificate.
fn is_for_encryption(certificate: &X509Ref) -> bool {
    /// `X509_PURPOSE_SMIME_ENCRYPT`
    const PURPOSE: i32 = 5;
    x509::check_purpose(certificate, PURPOSE, false) > 0
}

/// Whether a signer's attributes name a certificate as the one to encrypt for.
fn prefers(attributes: &[Vec<u8>], certificate: &X509Ref) -> bool {
    /// How the certificate is named: by issuer and number, by the recipient's key identifier, by the subject's.
    const NAMED: [u8; 3] = [0xa0, 0xa1, 0x82];
    let preference = attributes.iter().find_map(|attribute| {
        let (_, body) = ber::elements(attribute).next()?;
        let mut parts = ber::elements(body);
        let is_preference = parts.next()?.1 == PREFERENCE;
        ber::elements(parts.next()?.1)
            .next()
            .filter(|_| is_preference)
    });
    let key_id = || {
        certificate
            .subject_key_id()
            .map(|id| id.as_slice().to_vec())
    };
    match preference {
        Some((tag, body)) if tag == NAMED[0] => {
            let issuer = certificate.issuer_name().to_der().unwrap_or_default();
            let number = certificate
                .serial_number()
                .to_bn()
                .map(|number| number.to_vec());
            let told = ber::elements(body).last().map(|(_, number)| {
                let zeros = number.iter().take_while(|byte| **byte == 0).count();
                number[zeros..].to_vec()
            });
            body.starts_with(&issuer) && told == number.ok()
        }
        Some((tag, body)) if tag == NAMED[1] => {
            ber::elements(body).next().map(|(_, id)| id.to_vec()) == key_id()
        }
        Some((tag, body)) if tag == NAMED[2] => key_id().is_some_and(|id| id == body),
        _ => false,
    }
}

/// What is known once something was learned.
pub(crate) fn merge(known: &mut Vec<Entry>, learned: Vec<Entry>) {
    for new in learned {
        let Some(old) = known.iter_mut().find(|entry| entry.address == new.address) else {
            known.push(new);
            continue;
        };
        let (mut first, second) = match new.time >= old.time {
            true => (new, std::mem::take(old)),
            false => (std::mem::take(old), new),
        };
        // What a later message doesn't tell, an earlier one may have told.
        first.ciphers = first.ciphers.or(second.ciphers);
        for certificate in second.certificates {
            if !first.certificates.contains(&certificate) {
                first.certificates.push(certificate);
            }
        }
        *old = first;
    }
    known.sort_by(|one, other| one.address.cmp(&other.address));
}

/// The certificate to encrypt for: the first that is valid now.
pub(crate) fn certificate(entry: &Entry, now: i64) -> Option<X509> {
    let now = openssl::asn1::Asn1Time::from_unix(now).ok()?;
    entry
        .certificates
        .iter()
        .filter_map(|encoded| X509::from_der(encoded).ok())
        .find(|one| *one.not_before() <= *now && *one.not_after() >= *now)
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::x509::extension::SubjectKeyIdentifier;

    use super::*;

    /// An entry.
    fn entry(time: i64, ciphers: Option<&[&str]>, certificates: &[u8]) -> Entry {
        Entry {
            address: "a@b".to_owned(),
            time,
            ciphers: ciphers.map(|list| list.iter().map(|one| (*one).to_owned()).collect()),
            certificates: certificates.iter().map(|one| vec![*one]).collect(),
        }
    }

    #[test]
    fn the_latest_message_counts() {
        let mut known = Vec::new();
        merge(&mut known, vec![entry(2, Some(&["b"]), &[2])]);
        merge(&mut known, vec![entry(1, Some(&["a"]), &[1])]);
        assert_eq!(known, [entry(2, Some(&["b"]), &[2, 1])]);
        merge(&mut known, vec![entry(3, None, &[1])]);
        assert_eq!(known, [entry(3, Some(&["b"]), &[1, 2])]);
    }

    #[test]
    fn the_preferred_certificate_is_named_in_three_ways() {
        let key = crate::x509::fixtures::key();
        let mut builder = X509::builder().unwrap();
        let number = BigNum::from_u32(0xfedc).unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&number).unwrap();
        let name = crate::x509::fixtures::name("/O=somebody/CN=x");
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        let id = SubjectKeyIdentifier::new();
        let id = id.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(id).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        let issuer = certificate.issuer_name().to_der().unwrap();
        let number = certificate.serial_number().to_bn().unwrap().to_vec();
        let id = certificate.subject_key_id().unwrap().as_slice().to_vec();
        let attribute = |tag: u8, body: &[u8]| {
            let set = ber::element(0x31, &ber::element(tag, body));
            vec![ber::element(
                0x30,
                &[ber::element(6, PREFERENCE), set].concat(),
            )]
        };
        let by_number = |number: &[u8]| [issuer.clone(), ber::element(2, number)].concat();
        let padded = [&[0], &number[..]].concat();
        assert!(prefers(&attribute(0xa0, &by_number(&padded)), &certificate));
        assert!(!prefers(&attribute(0xa0, &by_number(&[7])), &certificate));
        assert!(prefers(
            &attribute(0xa1, &ber::element(4, &id)),
            &certificate
        ));
        assert!(prefers(&attribute(0x82, &id), &certificate));
        assert!(!prefers(&attribute(0x82, &id[1..]), &certificate));
        assert!(!prefers(&[], &certificate));
    }

    #[test]
    fn the_strongest_cipher_is_one_of_all() {
        let list =
            |words: &[&str]| -> Vec<String> { words.iter().map(|one| (*one).to_owned()).collect() };
        let (modern, old) = (
            list(&["aes-256-gcm", "aes-128-cbc"]),
            list(&["des-ede3-cbc", "aes-128-cbc"]),
        );
        let common = |all: &[Option<&[String]>]| common_cipher(all.iter().copied());
        assert_eq!(common(&[Some(&modern)]), Some("aes-256-gcm"));
        assert_eq!(common(&[Some(&modern), Some(&old)]), Some("aes-128-cbc"));
        assert_eq!(common(&[None]), Some("aes-256-cbc"));
        assert_eq!(common(&[None, Some(&modern)]), Some("aes-128-cbc"));
        assert_eq!(common(&[Some(&[])]), None);
    }
}
