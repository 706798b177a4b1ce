//! Answers to general messages, which both servers put into a message that OpenSSL has made.

use super::names::{self, Information};
use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl::cmp_message::Message;
use crate::ossl::cmp_server::Server;
use crate::x509::der::{tag, wrap};

/// A piece of information: encoded certificates or revocation lists of a type. `None` for a type that has none.
pub(crate) fn information(kind: &str, all: &[Vec<u8>]) -> Option<Information> {
    let one = all.first().filter(|one| !one.is_empty());
    let value = match kind {
        "caCerts" | "crls" => Some(wrap(tag::SEQUENCE, &all.concat())),
        "currentCRL" => Some(one?.clone()),
        // The new certificate, perhaps the new one by the old key, perhaps the old one by the new key.
        "rootCaKeyUpdate" => match one {
            None => None,
            Some(new) => {
                let mut content = new.clone();
                for (number, part) in all.iter().skip(1).enumerate() {
                    if let (false, Ok(number)) = (part.is_empty(), u8::try_from(number)) {
                        content.extend(wrap(tag::constructed(number), part));
                    }
                }
                Some(wrap(tag::SEQUENCE, &content))
            }
        },
        _ => return None,
    };
    Some(Information {
        kind: names::info_type(kind).ok()?,
        value,
    })
}

/// A template for requests, which says who will be the issuer, and perhaps which keys are wanted: elliptic ones, or RSA with
/// as many bits.
pub(crate) fn template(issuer: &[u8], bits: Option<u16>) -> Option<Information> {
    /// id-regCtrl-algId, id-regCtrl-rsaKeyLen and id-ecPublicKey
    const ALGORITHM: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 5, 1, 11];
    const BITS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 5, 1, 12];
    const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    let pair =
        |kind: &[u8], value: Vec<u8>| wrap(tag::SEQUENCE, &[wrap(tag::OID, kind), value].concat());
    let mut content = wrap(tag::SEQUENCE, &wrap(tag::constructed(3), issuer));
    if let Some(bits) = bits {
        let elliptic = wrap(tag::SEQUENCE, &wrap(tag::OID, ELLIPTIC));
        let number = wrap(tag::INTEGER, &bits.to_be_bytes());
        let pairs = [pair(ALGORITHM, elliptic), pair(BITS, number)];
        content.extend(wrap(tag::SEQUENCE, &pairs.concat()));
    }
    Some(Information {
        kind: names::info_type("certReqTemplate").ok()?,
        value: Some(wrap(tag::SEQUENCE, &content)),
    })
}

/// Protects a message that was changed anew, if it was protected.
pub(super) fn protect_anew(server: &mut Server, changed: Option<Vec<u8>>) -> Result<Vec<u8>> {
    let changed = Message::decode(&changed.ok_or_else(unfit)?).map_err(failed)?;
    let done = server.with_context(|context| context.protect(&changed));
    done.map_err(failed)?;
    changed.encode().map_err(failed)
}

/// The error for something that OpenSSL doesn't take.
fn failed(entries: Vec<OpenSslEntry>) -> Error {
    let message = format!("the server fails: {}", reasons_text(&entries));
    Error::failed(Reason::CmpCreate, message)
}

/// The error for a message that can't be changed.
fn unfit() -> Error {
    Error::failed(Reason::CmpCreate, "the answer can't be made")
}
