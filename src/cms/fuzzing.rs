//! Foreign bytes through all that reads messages: for the targets in `fuzz/`, and for a test that runs their corpus.
//!
//! There is nothing to see but panics, sanitizers' reports, and promises that the functions here assert.

use std::io::{self, Cursor, Read};
use std::sync::LazyLock;

use openssl::pkey::{PKey, Private};
use openssl::x509::store::{X509Store, X509StoreBuilder};

use super::source::{Format, Opened, open};
use super::{compress, decrypt, digest, inspect, verify};
use crate::ossl::secret::Secret;

/// A key that opens nothing.
static KEY: LazyLock<Option<PKey<Private>>> = LazyLock::new(|| {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).ok()?;
    PKey::from_ec_key(openssl::ec::EcKey::generate(&group).ok()?).ok()
});

/// How much content is taken: what is compressed may be much.
const LIMIT: u64 = 1 << 20;

/// Takes a limited number of bytes.
struct Limited(u64);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        match self.0 > LIMIT {
            true => Err(io::Error::other("that is enough")),
            false => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A store that trusts nobody.
fn nobody() -> Option<X509Store> {
    Some(X509StoreBuilder::new().ok()?.build())
}

/// Reads a message in one form by all operations.
fn read(bytes: &[u8], format: Format) {
    let stream = || Cursor::new(bytes.to_vec());
    if let Some(store) = nobody() {
        let settings = verify::Settings {
            format,
            certificates: Vec::new(),
            store,
            no_intern: false,
            no_chain: false,
            no_attributes: false,
            no_content: false,
            cades: false,
            text: false,
            binary: true,
            revocation: false,
        };
        let found = verify::verify(&mut stream(), None, &settings, &mut Limited(0));
        // Nobody is trusted, so that nothing can be right.
        assert!(!matches!(found, Ok((_, Ok(())))), "a stranger was trusted");
        let _ = inspect::verify_receipt(&mut stream(), format, &mut stream(), &settings);
    }
    let secret = Secret::from(vec![7; 16]);
    let settings = decrypt::Settings {
        format,
        keys: decrypt::Keys {
            secret: None,
            private: KEY.clone(),
            certificate: None,
            originator: None,
            password: None,
        },
        debug: false,
        text: false,
    };
    let found = decrypt::decrypt(&mut stream(), None, &settings, &mut Limited(0));
    assert!(
        found.is_err(),
        "a key that fits nothing has opened a message"
    );
    let _ = decrypt::decrypt_with_key(&mut stream(), None, format, &secret, false, &mut Limited(0));
    let _ = digest::verify(&mut stream(), format, None, false, &mut Limited(0));
    let _ = digest::read_data(&mut stream(), format, true, &mut Limited(0));
    let _ = compress::uncompress(&mut stream(), format, None, false, &mut Limited(0));
    let _ = inspect::print(&mut stream(), format, None);
    let wrapping = super::output::Wrapping::der();
    let mut copied = Vec::new();
    if inspect::copy(&mut stream(), format, Some(&wrapping), &mut copied).is_ok() {
        let mut again = Vec::new();
        let read = inspect::copy(
            &mut Cursor::new(copied.clone()),
            Format::Der,
            Some(&wrapping),
            &mut again,
        );
        assert!(read.is_ok(), "what was written can't be read");
        assert!(copied == again, "a copy of a copy is another one");
    }
}

/// Reads bytes as a message.
pub(crate) fn message(bytes: &[u8]) {
    read(bytes, Format::Der);
}

/// Reads bytes as a mail, and as armoured text.
pub(crate) fn mail(bytes: &[u8]) {
    let mut stream = Cursor::new(bytes.to_vec());
    match open(&mut stream, Format::Smime) {
        Ok(Opened::Beside { content, .. }) => {
            assert!(
                content.start <= content.end && content.end <= bytes.len() as u64,
                "the content lies outside the mail"
            );
        }
        Ok(Opened::Whole(whole)) => {
            let _ = io::copy(&mut whole.take(LIMIT), &mut io::sink());
        }
        Err(_) => {}
    }
    read(bytes, Format::Smime);
    read(bytes, Format::Pem);
}

#[cfg(test)]
mod tests {
    use super::{mail, message};
    use crate::corpus;

    #[test]
    fn the_corpus_of_messages_is_read_without_harm() {
        corpus::run("cms_message", message);
    }

    #[test]
    fn the_corpus_of_mails_is_read_without_harm() {
        corpus::run("cms_mime", mail);
    }
}
