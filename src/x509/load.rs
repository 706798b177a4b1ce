//! Reading certificates, revocation lists and private keys from bytes, whichever form they have.
//!
//! PEM is known by its first line, PKCS#12 by its structure; everything else is DER.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};

use super::Problem;

/// Gives the password of something encrypted, or says why there is none.
pub(crate) type Ask<'a> = &'a mut dyn FnMut() -> Result<Vec<u8>, Problem>;

/// Whether bytes are PEM text.
fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}

/// The PEM blocks of a text that have one of these labels.
fn blocks<'a>(text: &'a [u8], labels: &'a [&str]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = memchr::memmem::find(rest, b"-----BEGIN ")?;
            let block = &rest[start..];
            let label = &block[b"-----BEGIN ".len()..];
            let label = &label[..memchr::memmem::find(label, b"-----")?];
            let close = memchr::memmem::find(block, b"-----END ")? + b"-----END ".len();
            let end = close
                + memchr::memchr(b'\n', &block[close..]).map_or(block.len() - close, |at| at + 1);
            rest = &block[end..];
            if labels.iter().any(|known| known.as_bytes() == label) {
                return Some(&block[..end]);
            }
        }
    })
}

/// What OpenSSL says about bytes that it can't read.
fn unreadable(what: &str, stack: &openssl::error::ErrorStack) -> Problem {
    let reasons = crate::error::reasons_text(&crate::ossl::error::entries(stack));
    Problem::new(format!("{what} can't be read: {reasons}"))
}

/// All certificates in PEM, DER or PKCS#12 bytes; at least one.
pub(crate) fn certificates(bytes: &[u8], ask: Ask<'_>) -> Result<Vec<X509>, Problem> {
    let found = if is_pem(bytes) {
        blocks(
            bytes,
            &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"],
        )
        .map(X509::from_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|stack| unreadable("a certificate", &stack))?
    } else if let Ok(certificate) = X509::from_der(bytes) {
        vec![certificate]
    } else if let Ok(bag) = Pkcs12::from_der(bytes) {
        let parsed = open_bag(&bag, ask)?;
        parsed
            .cert
            .into_iter()
            .chain(parsed.ca.into_iter().flatten())
            .collect()
    } else {
        Vec::new()
    };
    match found.is_empty() {
        true => Err(Problem::new("there is no certificate in it")),
        false => Ok(found),
    }
}

/// All revocation lists in PEM or DER bytes; perhaps none.
pub(crate) fn revocation_lists(bytes: &[u8]) -> Result<Vec<X509Crl>, Problem> {
    if !is_pem(bytes) {
        return Ok(X509Crl::from_der(bytes).into_iter().collect());
    }
    blocks(bytes, &["X509 CRL"])
        .map(X509Crl::from_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|stack| unreadable("a revocation list", &stack))
}

/// The labels of private keys.
const KEY_LABELS: &[&str] = &[
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "DH PRIVATE KEY",
    "X9.42 DH PRIVATE KEY",
    "ANY PRIVATE KEY",
];

/// The private key in PEM, DER or PKCS#12 bytes.
pub(crate) fn private_key(bytes: &[u8], ask: Ask<'_>) -> Result<PKey<Private>, Problem> {
    let mut refused = None;
    let mut password = |buffer: &mut [u8]| {
        let given = ask().and_then(|given| match given.len() <= buffer.len() {
            true => Ok(given),
            false => Err(Problem::new("the password is too long")),
        });
        match given {
            Ok(given) => {
                buffer[..given.len()].copy_from_slice(&given);
                Ok(given.len())
            }
            Err(problem) => {
                refused = Some(problem);
                Err(openssl::error::ErrorStack::get())
            }
        }
    };
    let outcome = if is_pem(bytes) {
        let Some(block) = blocks(bytes, KEY_LABELS).next() else {
            return Err(Problem::new("there is no private key in it"));
        };
        PKey::private_key_from_pem_callback(block, &mut password)
    } else if let Ok(key) = PKey::private_key_from_der(bytes) {
        Ok(key)
    } else if let Ok(bag) = Pkcs12::from_der(bytes) {
        return open_bag(&bag, ask)?
            .pkey
            .ok_or_else(|| Problem::new("there is no private key in it"));
    } else {
        PKey::private_key_from_pkcs8_callback(bytes, &mut password)
    };
    outcome.map_err(|stack| refused.unwrap_or_else(|| unreadable("the private key", &stack)))
}

/// Opens a PKCS#12 bag: without a password if that works, else with the one that is given.
fn open_bag(bag: &Pkcs12, ask: Ask<'_>) -> Result<openssl::pkcs12::ParsedPkcs12_2, Problem> {
    if let Ok(parsed) = bag.parse2("") {
        return Ok(parsed);
    }
    let password = ask()?;
    let password =
        std::str::from_utf8(&password).map_err(|_| Problem::new("the password isn't UTF-8"))?;
    bag.parse2(password)
        .map_err(|stack| unreadable("the PKCS#12 file", &stack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_other_text() {
        let text =
            b"x\n-----BEGIN A-----\n1\n-----END A-----\ny\n-----BEGIN B-----\n2\n-----END B-----";
        let found: Vec<_> = blocks(text, &["B"]).collect();
        assert_eq!(found, [&b"-----BEGIN B-----\n2\n-----END B-----"[..]]);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let mut ask = || Err(Problem::new("nobody"));
        assert!(certificates(b"", &mut ask).is_err());
        assert!(certificates(b"-----BEGIN X-----\n-----END X-----\n", &mut ask).is_err());
        assert!(private_key(b"-----BEGIN X-----\n-----END X-----\n", &mut ask).is_err());
        assert!(private_key(b"\x30\x00", &mut ask).is_err());
    }

    #[test]
    fn an_encrypted_key_asks_and_a_refusal_is_told() {
        let key = PKey::ec_gen("prime256v1").unwrap();
        let cipher = openssl::symm::Cipher::aes_256_cbc();
        let pem = key
            .private_key_to_pem_pkcs8_passphrase(cipher, b"sesame")
            .unwrap();
        let der = key
            .private_key_to_pkcs8_passphrase(cipher, b"sesame")
            .unwrap();
        for bytes in [pem, der] {
            assert!(private_key(&bytes, &mut || Ok(b"sesame".to_vec())).is_ok());
            assert!(private_key(&bytes, &mut || Ok(b"wrong".to_vec())).is_err());
            let refused = private_key(&bytes, &mut || Err(Problem::new("nobody")));
            assert_eq!(refused.err(), Some(Problem::new("nobody")));
        }
    }
}
