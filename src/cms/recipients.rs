//! Those who can read a message, and which of them has a private key.

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::ber::{self, Skeleton};
use super::decrypt::{failed, message};
use super::{Named, unreadable};
use crate::error::Result;
use crate::ossl::cms::{ContentInfo, Flags, RecipientKind, transported_key};

/// Someone who can read a message.
pub(crate) struct Reading {
    /// The way in which the key comes to him.
    pub(crate) kind: RecipientKind,
    /// How he, or his key, is named.
    pub(crate) names: Vec<Named>,
}

/// Those who can read a message.
pub(crate) fn recipients(skeleton: &Skeleton) -> Vec<Reading> {
    let Ok(message) = message(skeleton) else {
        return Vec::new();
    };
    message
        .recipients()
        .iter()
        .map(|recipient| {
            let shared = recipient
                .shared_key_id()
                .map(|id| Named::Id(id.as_slice().to_vec()));
            Reading {
                kind: recipient.kind(),
                names: recipient
                    .ids()
                    .into_iter()
                    .map(Named::new)
                    .chain(shared)
                    .collect(),
            }
        })
        .collect()
}

/// What a private key, of which no certificate says to which recipient it belongs, makes of a message.
pub(super) struct Found {
    /// The message with those recipients alone among whom OpenSSL finds the right one.
    pub(super) skeleton: Skeleton,
    /// Whether the key really opens the message.
    pub(super) opens: bool,
}

/// Looks for the recipient who has a private key.
///
/// OpenSSL tries all recipients to whom the content key came by RSA, and takes the last key that has the right length.
/// With the padding of PKCS #1 1.5 a library from 3.2 on gives a made-up key for every recipient who is someone else, one
/// in some two hundred with that length. So OpenSSL gets the one who shows the padding when nothing is made up. Where
/// nobody does, it gets any of them and as much to do, so that neither the outcome nor the time tells which it was.
pub(super) fn find(
    skeleton: &Skeleton,
    key: &PKey<Private>,
    originator: Option<&X509>,
) -> Result<Found> {
    let whole = message(skeleton)?;
    let length = whole
        .chain()
        .map_err(|stack| failed(&stack))?
        .cipher()
        .map_or(0, |cipher| cipher.key_length());
    let Recipients {
        before,
        transported,
        others,
        behind,
    } = Recipients::of(&whole)?;
    let fits = |recipient: &[u8]| {
        transported_by_rsa(recipient)
            .and_then(|encrypted| transported_key(key, encrypted))
            .is_some_and(|key| key.len() == length)
    };
    // All are tried in any case.
    let fitting: Vec<bool> = transported
        .iter()
        .map(|recipient| fits(recipient))
        .collect();
    let with = |recipients: &[&[u8]]| Skeleton {
        before: [&before, &*ber::element(SET, &recipients.concat()), &behind].concat(),
        ..skeleton.clone()
    };
    // Their ways of encrypting a key tell whether it is right.
    let others_fit = !others.is_empty()
        && message(&with(&[&others])).is_ok_and(|others| {
            others.prepare_decryption(Flags::DEBUG_DECRYPT).is_ok()
                && others
                    .decrypt_with_key(key, None, originator.map(|it| &**it))
                    .is_ok()
        });
    let fitting = fitting.iter().position(|fits| *fits);
    let chosen = transported
        .get(fitting.unwrap_or(0))
        .filter(|_| !others_fit)
        .map_or(&[][..], Vec::as_slice);
    Ok(Found {
        skeleton: with(&[&others, chosen]),
        opens: others_fit || fitting.is_some(),
    })
}

/// SET.
const SET: u8 = 0x31;

/// The recipients of a message, by how surely it shows that a private key is theirs.
struct Recipients {
    /// What stands before the recipients.
    before: Vec<u8>,
    /// Those who get the content key by RSA with the padding of PKCS #1 1.5, which shows little.
    transported: Vec<Vec<u8>>,
    /// The others, one behind the other.
    others: Vec<u8>,
    /// What stands behind the recipients.
    behind: Vec<u8>,
}

impl Recipients {
    /// Those of a message.
    fn of(message: &ContentInfo) -> Result<Self> {
        // As the library encodes it, all lengths are definite.
        let der = message.to_der().map_err(|stack| failed(&stack))?;
        let encoded = Skeleton::parse(&der).map_err(unreadable)?;
        let mut found = Self {
            before: Vec::new(),
            transported: Vec::new(),
            others: Vec::new(),
            behind: Vec::new(),
        };
        let mut is_behind = false;
        for (tag, body) in ber::elements(&encoded.before) {
            if tag != SET {
                match is_behind {
                    true => &mut found.behind,
                    false => &mut found.before,
                }
                .extend(ber::element(tag, body));
                continue;
            }
            is_behind = true;
            for (tag, recipient) in ber::elements(body) {
                let recipient = ber::element(tag, recipient);
                match transported_by_rsa(&recipient) {
                    Some(_) => found.transported.push(recipient),
                    None => found.others.extend(recipient),
                }
            }
        }
        Ok(found)
    }
}

/// The encrypted content key of a recipient, if it is one by RSA with the padding of PKCS #1 1.5.
fn transported_by_rsa(recipient: &[u8]) -> Option<&[u8]> {
    /// SEQUENCE.
    const SEQUENCE: u8 = 0x30;
    /// rsaEncryption, as its encoded object identifier goes on behind tag and length.
    const RSA: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 1, 1];
    let (_, fields) = ber::elements(recipient)
        .next()
        .filter(|(tag, _)| *tag == SEQUENCE)?;
    // Version, name, algorithm, key.
    let mut fields = ber::elements(fields).skip(2);
    let (_, algorithm) = fields.next()?;
    let (_, oid) = ber::elements(algorithm).next()?;
    fields
        .next()
        .filter(|_| oid == RSA)
        .map(|(_, encrypted)| encrypted)
}
