//! Foreign bytes as messages to the servers: for the target in `fuzz/`, and for a test that runs its corpus.
//!
//! Each message goes to the real server, which must not take it for anybody's; to one that takes what isn't protected, so
//! that what follows the protection is reached as well; and to the test server.

use std::sync::LazyLock;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::{X509, X509Name};

use super::mock::{MockServer, MockSettings};
use super::server::{Decision, Earlier, Identity, Office, receive};
use super::settings::Credentials;
use super::{body, header};
use crate::ossl::secret::Secret;

/// A certificate and its key.
static OWN: LazyLock<Option<(X509, PKey<Private>)>> = LazyLock::new(|| own().ok());

/// Makes a certificate that signs itself.
fn own() -> Result<(X509, PKey<Private>), openssl::error::ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("CN", "server")?;
    let name = name.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    let start = Asn1Time::days_from_now(0)?;
    builder.set_not_before(&start)?;
    let end = Asn1Time::days_from_now(9)?;
    builder.set_not_after(&end)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

/// A server that trusts nobody; `open` if messages needn't be protected.
fn office(open: bool) -> Option<Office> {
    let (certificate, key) = OWN.as_ref()?;
    let nobody = || -> Option<X509Store> { Some(X509StoreBuilder::new().ok()?.build()) };
    Some(Office {
        certificate: Some(certificate.clone()),
        key: Some(key.clone()),
        trusted: nobody(),
        accept_unprotected: open,
        ..Office::default()
    })
}

/// What the real server makes of a message: whether it was in order, and the answer.
fn serve(office: &Office, secret: &[u8], bytes: &[u8], earlier: Option<&Earlier>) -> Option<bool> {
    let header = receive(bytes).ok()?;
    let identity = office.identify(&header, Some(Secret::from(secret)));
    let identity = match office.accept_unprotected {
        true if !office.is_from(&identity, bytes).unwrap_or(false) => Identity::Nobody,
        _ => identity,
    };
    let demand = body::demand(bytes);
    let decision = match (&demand, OWN.as_ref()) {
        (Some(_), Some((certificate, _))) => Decision::Issue {
            certificate: Box::new(certificate.clone()),
            authorities: vec![certificate.clone()],
            changed: false,
        },
        _ => Decision::Later(1),
    };
    if let Some(demand) = &demand {
        let _ = demand.wants_authority();
        let _ = Office::asks_for_own(&identity, demand);
    }
    if let Some(recall) = body::recall(bytes) {
        let _ = Office::recalls_own(&identity, &recall);
    }
    let _ = body::questions(bytes);
    let answer = office.answer(&identity, bytes, decision, earlier).ok()?;
    assert!(
        header::message(&answer.message).is_some(),
        "an answer isn't a message"
    );
    Some(answer.counted)
}

/// Has the servers answer a message.
pub(crate) fn server(bytes: &[u8]) {
    let (Some(closed), Some(open), Some((certificate, key))) = (office(false), office(true), &*OWN)
    else {
        return;
    };
    // Nobody has heard of the secret.
    let secret = b"\x93\x1c\x55\xfe\x07\xa9\x42\xd8\x6b\x20\xee\x71\x3a\xcf\x84\x19";
    let taken = serve(&closed, secret, bytes, None);
    assert_ne!(taken, Some(true), "a stranger's message was taken");
    serve(&open, secret, bytes, None);
    let earlier = Earlier {
        request: bytes.to_vec(),
        nonce: vec![7; 16],
        certificate: Some(certificate.clone()),
    };
    let taken = serve(&closed, secret, bytes, Some(&earlier));
    assert_ne!(taken, Some(true), "a stranger's message was taken");
    let mock = MockServer::new(MockSettings {
        credentials: Credentials {
            certificate: Some(certificate.clone()),
            key: Some(key.clone()),
            ..Credentials::default()
        },
        certificate: Some(certificate.clone()),
        accept_unprotected: true,
        accept_ra_verified: true,
        polls: 1,
        ..MockSettings::default()
    });
    if let Ok(mut mock) = mock {
        // Once more for what goes on.
        for _ in 0..2 {
            let _ = mock.answer(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    /// The secret by which seeds are protected.
    const SECRET: &[u8] = b"fuzz";

    #[test]
    fn the_corpus_of_requests_is_answered_without_harm() {
        corpus::run("cmp_server", server);
    }

    #[test]
    fn a_protected_message_with_a_byte_flipped_is_nobodys() {
        let office = office(false).unwrap();
        let mut count = 0;
        for (name, bytes) in corpus::seeds("cmp_server") {
            let protected = name.starts_with("seed-mac-");
            let begins = body::demand(&bytes).is_some() || body::recall(&bytes).is_some();
            if !protected || !begins {
                continue;
            }
            assert_eq!(serve(&office, SECRET, &bytes, None), Some(true), "{name}");
            count += 1;
            for place in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << (place % 8);
                let taken = serve(&office, SECRET, &flipped, None);
                assert_ne!(taken, Some(true), "{name}: byte {place}");
            }
        }
        assert!(count >= 5, "there are hardly protected messages");
    }
}
