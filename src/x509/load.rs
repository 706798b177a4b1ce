//! Certificates, requests, revocation lists and keys from bytes: PEM or DER, told apart by the content.
//!
//! The caller reads the file and knows its name; a [`Problem`] says what is wrong with the content. Nothing here ever
//! asks a terminal for a password.

use std::cell::RefCell;

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private, Public};
use openssl::x509::{X509, X509Crl, X509Req};

use super::der::{self, tag};
use super::{Problem, frame, pem};
use crate::error::reasons_text;
use crate::ossl::error::{entries, queue};
use crate::ossl::secret::Secret;
use crate::ossl::undecoded;
use crate::ossl::x509::trusted_from_der;

/// Gives the password for something encrypted; asked only if there is need.
pub(crate) type AskPassword<'a> = dyn FnMut() -> Result<Secret, Problem> + 'a;

/// The first certificate in the content, without its key decoded; `None` if there is none, or it is of an uncommon form.
pub(crate) fn certificate_without_key(content: &[u8]) -> Option<X509> {
    if !pem::is_pem(content) {
        return undecoded::certificate(content).ok();
    }
    let text = String::from_utf8_lossy(content);
    let mut blocks = pem::blocks(&text);
    let block = blocks.find(|block| CERTIFICATES.contains(&block.label))?;
    let der = block.der().filter(|_| block.label == CERTIFICATES[0])?;
    undecoded::certificate(&der).ok()
}

/// What certificates are labelled with, and those that OpenSSL has trust settings with.
const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// What requests are labelled with.
const REQUESTS: &[&str] = &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// All certificates in the content, in order; at least one.
pub(crate) fn certificates(content: &[u8]) -> Result<Vec<X509>, Problem> {
    all(
        content,
        "certificate",
        CERTIFICATES,
        |label, der| match label {
            "TRUSTED CERTIFICATE" => trusted_from_der(der),
            _ => X509::from_der(der),
        },
    )
}

/// The first certificate request in the content.
pub(crate) fn request(content: &[u8]) -> Result<X509Req, Problem> {
    let what = "certificate request";
    first(
        all(content, what, REQUESTS, |_, der| X509Req::from_der(der))?,
        what,
    )
}

/// The same with its public key, which isn't decoded in the request itself; `None` for a key of an uncommon kind, whose
/// request has it.
pub(crate) fn request_with_key(content: &[u8]) -> Result<(X509Req, Option<PKey<Public>>), Problem> {
    let what = "certificate request";
    let read = |_: &str, der: &[u8]| {
        let key = frame::request(der).and_then(|request| common_key(request.key.whole));
        match key {
            Some(key) => Ok((undecoded::request(der)?, Some(key))),
            None => Ok((X509Req::from_der(der)?, None)),
        }
    };
    first(all(content, what, REQUESTS, read)?, what)
}

/// All revocation lists in the content, in order; at least one.
pub(crate) fn crls(content: &[u8]) -> Result<Vec<X509Crl>, Problem> {
    all(content, "revocation list", &["X509 CRL"], |_, der| {
        X509Crl::from_der(der)
    })
}

/// The first public key in the content.
pub(crate) fn public_key(content: &[u8]) -> Result<PKey<Public>, Problem> {
    let what = "public key";
    first(
        all(content, what, &["PUBLIC KEY"], |_, der| {
            PKey::public_key_from_der(der)
        })?,
        what,
    )
}

/// The public key of a SubjectPublicKeyInfo, if it is RSA or a point of a usual curve; else OpenSSL has to decode it.
///
/// OpenSSL would do the same for all kinds, after it has looked for a decoder for several times as long as this takes.
fn common_key(info: &[u8]) -> Option<PKey<Public>> {
    const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
    const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
    const P521: &[u8] = b"\x2b\x81\x04\x00\x23";
    const UNCOMPRESSED: u8 = 4;
    let parts = der::one(info)?.open(tag::SEQUENCE)?;
    let [algorithm, bits] = <[der::Element<'_>; 2]>::try_from(parts).ok()?;
    let bits = bits.expect(tag::BIT_STRING)?.strip_prefix(&[0])?;
    let algorithm = algorithm.open(tag::SEQUENCE)?;
    let [kind, parameters] = <[der::Element<'_>; 2]>::try_from(algorithm).ok()?;
    match kind.expect(tag::OID)? {
        RSA => {
            parameters.expect(tag::NULL)?;
            let numbers = der::one(bits)?.open(tag::SEQUENCE)?;
            let [modulus, exponent] = <[der::Element<'_>; 2]>::try_from(numbers).ok()?;
            undecoded::rsa_key(positive(modulus)?, positive(exponent)?).ok()
        }
        EC => {
            let curve = match parameters.expect(tag::OID)? {
                P256 => &undecoded::P256,
                P384 => &undecoded::P384,
                P521 => &undecoded::P521,
                _ => return None,
            };
            let uncompressed = bits.first() == Some(&UNCOMPRESSED);
            uncompressed.then(|| curve.key(bits).ok())?
        }
        _ => None,
    }
}

/// The bytes of a positive INTEGER.
fn positive(number: der::Element<'_>) -> Option<&[u8]> {
    let bytes = number.expect(tag::INTEGER)?;
    bytes.first().filter(|first| **first < 0x80)?;
    Some(bytes)
}

/// The first private key in the content: PKCS#8 or a traditional form, encrypted or not.
pub(crate) fn private_key(
    content: &[u8],
    ask: &mut AskPassword<'_>,
) -> Result<PKey<Private>, Problem> {
    if content.is_empty() {
        return Err(Problem::new("it is empty"));
    }
    let answer = RefCell::new(None);
    let mut password = |buffer: &mut [u8]| {
        let given = ask().and_then(|secret| {
            let place = buffer.get_mut(..secret.len());
            let place = place.ok_or_else(|| Problem::new("the password is too long"))?;
            place.copy_from_slice(&secret);
            Ok(secret.len())
        });
        given.map_err(|problem| {
            answer.replace(Some(problem));
            ErrorStack::get()
        })
    };
    let key = if pem::is_pem(content) {
        let text = String::from_utf8_lossy(content);
        let block = pem::blocks(&text).find(|block| block.label.ends_with("PRIVATE KEY"));
        let Some(block) = block else {
            return Err(missing(&text, "private key"));
        };
        PKey::private_key_from_pem_callback(block.text.as_bytes(), &mut password)
    } else if is_encrypted_key(content) {
        PKey::private_key_from_pkcs8_callback(content, &mut password)
    } else {
        PKey::private_key_from_der(content)
    };
    key.map_err(|stack| answer.take().unwrap_or_else(|| refused(&stack)))
}

/// What a PKCS#12 file holds.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// The certificate that belongs to the key.
    pub(crate) certificate: Option<X509>,
    /// The key.
    pub(crate) key: Option<PKey<Private>>,
    /// The other certificates.
    pub(crate) chain: Vec<X509>,
}

/// Whether the content looks like PKCS#12: a sequence of the number 3 and something with a content type.
pub(crate) fn is_pkcs12(content: &[u8]) -> bool {
    let parts = der::one(content).and_then(|whole| whole.open(tag::SEQUENCE));
    let parts = parts.unwrap_or_default();
    let version = parts.first().and_then(|part| part.expect(tag::INTEGER));
    let inner = parts.get(1).and_then(|part| part.open(tag::SEQUENCE));
    let kind = inner.and_then(|inner| inner.first()?.expect(tag::OID));
    version == Some(&[3]) && kind.is_some()
}

/// Opens a PKCS#12 file.
pub(crate) fn pkcs12(content: &[u8], ask: &mut AskPassword<'_>) -> Result<Bundle, Problem> {
    let parsed = Pkcs12::from_der(content).map_err(|stack| refused(&stack))?;
    // A file without a password has an empty one, or none; OpenSSL tries both for the empty one.
    let opened = match parsed.parse2("") {
        Ok(opened) => opened,
        Err(_) => {
            let secret = ask()?;
            let password = std::str::from_utf8(&secret)
                .ok()
                .filter(|text| !text.contains('\0'));
            let password = password.ok_or_else(|| Problem::new("the password isn't text"))?;
            parsed.parse2(password).map_err(|stack| refused(&stack))?
        }
    };
    Ok(Bundle {
        certificate: opened.cert,
        key: opened.pkey,
        chain: opened.ca.into_iter().flatten().collect(),
    })
}

/// Reads every block with one of the labels, or else every DER value.
fn all<T>(
    content: &[u8],
    what: &str,
    labels: &[&str],
    read: impl Fn(&str, &[u8]) -> Result<T, ErrorStack>,
) -> Result<Vec<T>, Problem> {
    if content.is_empty() {
        return Err(Problem::new("it is empty"));
    }
    if !pem::is_pem(content) {
        let values =
            der::elements(content).ok_or_else(|| Problem::new("it is neither PEM nor DER"))?;
        let read = |value: der::Element<'_>| read("", value.whole).map_err(|stack| refused(&stack));
        return values.into_iter().map(read).collect();
    }
    let text = String::from_utf8_lossy(content);
    let mut found = Vec::new();
    for block in pem::blocks(&text).filter(|block| labels.contains(&block.label)) {
        let der = block
            .der()
            .ok_or_else(|| Problem::new(format!("a {what} in it is no base64")))?;
        found.push(read(block.label, &der).map_err(|stack| refused(&stack))?);
    }
    match found.is_empty() {
        true => Err(missing(&text, what)),
        false => Ok(found),
    }
}

/// The first of several.
fn first<T>(found: Vec<T>, what: &str) -> Result<T, Problem> {
    let first = found.into_iter().next();
    first.ok_or_else(|| Problem::new(format!("no {what} in it")))
}

/// The problem that PEM text doesn't hold what was looked for.
fn missing(text: &str, what: &str) -> Problem {
    let mut labels: Vec<&str> = Vec::new();
    for block in pem::blocks(text) {
        if !labels.contains(&block.label) {
            labels.push(block.label);
        }
    }
    Problem::new(match labels.is_empty() {
        true => format!("no {what} in it"),
        false => format!("no {what} in it, only {}", labels.join(", ")),
    })
}

/// Whether the first private key in the content is encrypted.
pub(crate) fn is_encrypted(content: &[u8]) -> bool {
    if !pem::is_pem(content) {
        return is_encrypted_key(content);
    }
    let text = String::from_utf8_lossy(content);
    let block = pem::blocks(&text).find(|block| block.label.ends_with("PRIVATE KEY"));
    block.is_some_and(|block| block.text.contains("ENCRYPTED"))
}

/// Whether a DER key is encrypted PKCS#8: it starts with an algorithm, a plain key with a number.
fn is_encrypted_key(content: &[u8]) -> bool {
    let parts = der::one(content).and_then(|whole| whole.open(tag::SEQUENCE));
    parts.is_some_and(|parts| parts.first().is_some_and(|part| part.tag == tag::SEQUENCE))
}

/// OpenSSL's reasons as a problem.
fn refused(stack: &ErrorStack) -> Problem {
    queue();
    Problem::new(reasons_text(&entries(stack)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use openssl::bn::BigNumContext;
    use openssl::ec::{EcGroup, EcKey, PointConversionForm};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::Id;
    use openssl::rsa::Rsa;
    use openssl::symm::Cipher;

    /// A password callback for a file that has none.
    fn nobody() -> Result<Secret, Problem> {
        panic!("nobody was to be asked")
    }

    /// The sentence of a problem.
    fn why<T>(result: Result<T, Problem>) -> String {
        result.err().unwrap().to_string()
    }

    /// A request for a key.
    fn asked(key: &PKey<Private>) -> X509Req {
        let mut builder = X509Req::builder().unwrap();
        builder.set_pubkey(key).unwrap();
        let digest = match key.id() {
            Id::ED25519 => MessageDigest::null(),
            _ => MessageDigest::sha256(),
        };
        builder.sign(key, digest).unwrap();
        builder.build()
    }

    /// A key on a curve.
    fn on_curve(curve: Nid) -> PKey<Private> {
        let group = EcGroup::from_curve_name(curve).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    #[test]
    fn keys_of_common_kinds_are_made_without_a_decoder() {
        for key in [
            fixtures::key(),
            PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            on_curve(Nid::X9_62_PRIME256V1),
            on_curve(Nid::SECP384R1),
            on_curve(Nid::SECP521R1),
        ] {
            let pem = asked(&key).to_pem().unwrap();
            let (request, made) = request_with_key(&pem).unwrap();
            let made = made.unwrap();
            assert!(made.public_eq(&key));
            assert_eq!(made.security_bits(), key.security_bits());
            assert!(request.verify(&made).unwrap());
            assert_eq!(request.to_pem().unwrap(), pem);
            // This is what takes OpenSSL so long, and what must not have happened.
            assert!(request.public_key().is_err());
            let other = on_curve(Nid::X9_62_PRIME256V1);
            assert!(!request.verify(&other).unwrap_or(false));
            queue();
        }
    }

    #[test]
    fn keys_of_other_kinds_are_left_to_openssl() {
        for key in [PKey::generate_ed25519().unwrap(), on_curve(Nid::SECP256K1)] {
            let (request, made) = request_with_key(&asked(&key).to_pem().unwrap()).unwrap();
            assert!(made.is_none());
            assert!(request.public_key().unwrap().public_eq(&key));
        }
        let (request, made) = request_with_key(&off_the_curve()).unwrap();
        assert!(made.is_none() && request.public_key().is_err());
        queue();
    }

    /// A request for a point that isn't on its curve.
    fn off_the_curve() -> Vec<u8> {
        let key = on_curve(Nid::X9_62_PRIME256V1);
        let mut der = asked(&key).to_der().unwrap();
        let mut context = BigNumContext::new().unwrap();
        let ec = key.ec_key().unwrap();
        let form = PointConversionForm::UNCOMPRESSED;
        let point = ec.public_key().to_bytes(ec.group(), form, &mut context);
        let point = point.unwrap();
        let at = der.windows(point.len()).position(|part| part == point);
        der[at.unwrap() + point.len() - 1] ^= 1;
        der
    }

    #[test]
    fn a_certificate_without_its_key_is_the_same_certificate() {
        let key = fixtures::key();
        let certificate = fixtures::certificate("/CN=1", &key, None, true);
        let text = [b"what it says\n".to_vec(), certificate.to_pem().unwrap()].concat();
        for content in [certificate.to_der().unwrap(), text] {
            let read = certificate_without_key(&content).unwrap();
            assert_eq!(read.to_der().unwrap(), certificate.to_der().unwrap());
            assert!(read.verify(&key).unwrap());
            assert!(read.public_key().is_err());
            queue();
        }
        for none in [&b"x"[..], b"-----BEGIN X-----\nAQ==\n-----END X-----\n"] {
            assert!(certificate_without_key(none).is_none());
        }
    }

    #[test]
    fn certificates_in_every_form() {
        let key = fixtures::key();
        let [first, second] =
            ["/CN=1", "/CN=2"].map(|name| fixtures::certificate(name, &key, None, true));
        let pem = [
            key.private_key_to_pem_pkcs8().unwrap(),
            first.to_pem().unwrap(),
            second.to_pem().unwrap(),
        ]
        .concat();
        let der = [first.to_der().unwrap(), second.to_der().unwrap()].concat();
        for content in [pem, der] {
            let found = certificates(&content).unwrap();
            assert!(found == [first.clone(), second.clone()]);
        }
    }

    #[test]
    fn what_is_wrong_with_the_content_is_told() {
        let key = fixtures::key();
        let pem = key.private_key_to_pem_pkcs8().unwrap();
        assert_eq!(
            why(certificates(&pem)),
            "no certificate in it, only PRIVATE KEY"
        );
        assert_eq!(why(certificates(b"")), "it is empty");
        assert_eq!(why(certificates(b"hello")), "it is neither PEM nor DER");
        assert_eq!(
            why(certificates(b"-----BEGIN CERTIFICATE-----\nAAA")),
            "no certificate in it"
        );
        let encrypted = b"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011223344556677\n\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(
            why(certificates(encrypted)),
            "a certificate in it is no base64"
        );
        assert!(!why(certificates(b"\x30\x03\x02\x01\x05")).is_empty());
        assert_eq!(
            why(request(&pem)),
            "no certificate request in it, only PRIVATE KEY"
        );
        assert_eq!(
            why(crls(&pem)),
            "no revocation list in it, only PRIVATE KEY"
        );
        assert!(!why(private_key(b"hello", &mut nobody)).is_empty());
    }

    #[test]
    fn private_keys_plain_and_encrypted() {
        let key = fixtures::key();
        let plain = [
            key.private_key_to_pem_pkcs8().unwrap(),
            key.private_key_to_pkcs8().unwrap(),
            key.private_key_to_der().unwrap(),
            key.ec_key().unwrap().private_key_to_pem().unwrap(),
        ];
        for content in plain {
            assert!(private_key(&content, &mut nobody).unwrap().public_eq(&key));
            assert!(!is_encrypted(&content));
        }
        let cipher = Cipher::aes_256_cbc();
        let encrypted = [
            key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret")
                .unwrap(),
            key.private_key_to_pkcs8_passphrase(cipher, b"secret")
                .unwrap(),
            key.ec_key()
                .unwrap()
                .private_key_to_pem_passphrase(cipher, b"secret")
                .unwrap(),
        ];
        for content in encrypted {
            assert!(is_encrypted(&content));
            let read = private_key(&content, &mut || Ok(Secret::from(&b"secret"[..])));
            assert!(read.unwrap().public_eq(&key));
            let wrong = private_key(&content, &mut || Ok(Secret::from(&b"wrong"[..])));
            assert!(!why(wrong).contains("secret"));
            let refused = private_key(&content, &mut || Err(Problem::new("not told")));
            assert_eq!(why(refused), "not told");
            let long = private_key(&content, &mut || Ok(Secret::new(vec![b'x'; 100_000])));
            assert_eq!(why(long), "the password is too long");
        }
    }

    #[test]
    fn other_things_in_pem_and_der() {
        let key = fixtures::key();
        let public = key.public_key_to_pem().unwrap();
        assert!(public_key(&public).unwrap().public_eq(&key));
        assert!(
            public_key(&key.public_key_to_der().unwrap())
                .unwrap()
                .public_eq(&key)
        );
        let mut builder = X509Req::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let made = builder.build();
        for content in [made.to_pem().unwrap(), made.to_der().unwrap()] {
            assert_eq!(
                request(&content).unwrap().to_der().unwrap(),
                made.to_der().unwrap()
            );
        }
    }

    #[test]
    fn pkcs12_with_and_without_a_password() {
        let key = fixtures::key();
        let certificate = fixtures::certificate("/CN=x", &key, None, true);
        for password in ["", "secret"] {
            let mut builder = Pkcs12::builder();
            builder.name("friend").pkey(&key).cert(&certificate);
            let content = builder.build2(password).unwrap().to_der().unwrap();
            assert!(is_pkcs12(&content));
            let mut ask = || match password {
                "" => nobody(),
                _ => Ok(Secret::from(password.as_bytes())),
            };
            let bundle = pkcs12(&content, &mut ask).unwrap();
            assert!(bundle.key.unwrap().public_eq(&key));
            let found = bundle.certificate.unwrap();
            assert!(found == certificate);
            assert_eq!(found.alias(), Some(&b"friend"[..]));
            if !password.is_empty() {
                let null = pkcs12(&content, &mut || Ok(Secret::from(&b"a\0b"[..])));
                assert_eq!(why(null), "the password isn't text");
                assert!(pkcs12(&content, &mut || Ok(Secret::from(&b"wrong"[..]))).is_err());
            }
        }
        assert!(!is_pkcs12(&certificate.to_der().unwrap()));
        assert!(!is_pkcs12(&key.private_key_to_pkcs8().unwrap()));
    }
}
