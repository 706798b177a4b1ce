//! What a server tells about its authority, taken out of the answers to a general message; and the values of questions.

use std::collections::HashMap;

use openssl::x509::{X509, X509Crl};

use super::names::{self, Information};
use crate::error::{Error, Reason, Result};
use crate::ossl::error::clear;
use crate::x509::Problem;
use crate::x509::der::{Element, one, tag, wrap};

/// What a server tells, as far as it was told.
#[derive(Default)]
pub(crate) struct Answers {
    /// Certificates of authorities.
    pub(crate) authorities: Vec<X509>,
    /// The new root.
    pub(crate) new_root: Option<X509>,
    /// The new root's key, by the old one.
    pub(crate) new_by_old: Option<X509>,
    /// The old root's key, by the new one.
    pub(crate) old_by_new: Option<X509>,
    /// A revocation list.
    pub(crate) list: Option<X509Crl>,
    /// An encoded template for requests.
    pub(crate) template: Option<Vec<u8>>,
    /// What keys must be like, encoded.
    pub(crate) key_kinds: Option<Vec<u8>>,
}

/// A certificate.
fn certificate(element: &Element<'_>) -> Option<X509> {
    X509::from_der(element.whole).ok()
}

impl Answers {
    /// Reads answers. What can't be read is left out.
    pub(crate) fn read(pieces: &[Information]) -> Self {
        let mut all = HashMap::new();
        for piece in pieces {
            all.insert(names::info_name(&piece.kind), piece.value.as_deref());
        }
        let parts = |kind: &str| {
            let value = all.get(kind).copied().flatten()?;
            one(value)?.open(tag::SEQUENCE)
        };
        let mut answers = Self::default();
        let authorities = parts("caCerts").unwrap_or_default();
        answers.authorities = authorities.iter().filter_map(certificate).collect();
        if let Some([new, others @ ..]) = parts("rootCaKeyUpdate").as_deref() {
            let other = |number| {
                let mut others = others.iter();
                let part = others.find(|part| part.tag == tag::constructed(number))?;
                certificate(&one(part.content)?)
            };
            answers.new_root = certificate(new);
            answers.new_by_old = other(0);
            answers.old_by_new = other(1);
        }
        let list = parts("crls").and_then(|lists| Some(lists.first()?.whole.to_vec()));
        let current = all.get("currentCRL").copied().flatten();
        let list = list.or_else(|| current.map(<[u8]>::to_vec));
        answers.list = list.and_then(|list| X509Crl::from_der(&list).ok());
        if let Some([template, others @ ..]) = parts("certReqTemplate").as_deref() {
            answers.template = Some(template.whole.to_vec());
            answers.key_kinds = others.first().map(|kinds| kinds.whole.to_vec());
        }
        clear();
        answers
    }

    /// Checks that an update of a root is what it says: the new one signs itself, and each key vouches for the other
    /// where it is said to.
    pub(crate) fn check_update(&self, old: Option<&X509>) -> Result<()> {
        let Some(new) = &self.new_root else {
            return Ok(());
        };
        let signed = |certificate: &X509, by: &X509| {
            let key = by.public_key();
            let good = key.and_then(|key| certificate.verify(&key));
            matches!(good, Ok(true))
        };
        let same_key = |one: &X509, other: &X509| match (one.public_key(), other.public_key()) {
            (Ok(one), Ok(other)) => one.public_eq(&other),
            _ => false,
        };
        let mut good = signed(new, new);
        if let Some(by_old) = &self.new_by_old {
            good &= same_key(by_old, new) && old.is_none_or(|old| signed(by_old, old));
        }
        if let Some(by_new) = &self.old_by_new {
            good &= signed(by_new, new) && old.is_none_or(|old| same_key(by_new, old));
        }
        clear();
        match good {
            true => Ok(()),
            false => Err(Error::failed_with(
                Reason::CmpVerify,
                ["-newwithnew"],
                "the update of the root isn't what it says: a signature or a key doesn't fit",
            )),
        }
    }
}

/// The question for the update of a root.
pub(crate) fn root_question(old: &X509) -> std::result::Result<Vec<u8>, Problem> {
    old.to_der()
        .map_err(|_| Problem::new("the old root can't be encoded"))
}

/// The question for a revocation list: that of a certificate's issuer, or one that is newer than an old list.
pub(crate) fn list_question(
    certificate: Option<&X509>,
    old: Option<&X509Crl>,
) -> std::result::Result<Vec<u8>, Problem> {
    let failed = |_| Problem::new("the question for a revocation list can't be encoded");
    let issuer = match (certificate, old) {
        (Some(certificate), _) => certificate.issuer_name().to_der(),
        (None, Some(old)) => old.issuer_name().to_der(),
        (None, None) => return Err(Problem::new("nothing says whose list is wanted")),
    };
    let name = wrap(tag::constructed(4), &issuer.map_err(failed)?);
    let mut status = wrap(tag::constructed(1), &wrap(tag::SEQUENCE, &name));
    if let Some(old) = old {
        let encoded = old.to_der().map_err(failed)?;
        status
            .extend(last_update(&encoded).ok_or_else(|| Problem::new("the old list has no time"))?);
    }
    Ok(wrap(tag::SEQUENCE, &wrap(tag::SEQUENCE, &status)))
}

/// The encoded time of a list.
fn last_update(list: &[u8]) -> Option<Vec<u8>> {
    const TIMES: [u8; 2] = [tag::UTC_TIME, tag::GENERALIZED_TIME];
    let parts = one(list)?.open(tag::SEQUENCE)?;
    let parts = parts.first()?.open(tag::SEQUENCE)?;
    let time = parts.iter().find(|part| TIMES.contains(&part.tag))?;
    Some(time.whole.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::fixtures;

    #[test]
    fn nothing_comes_of_nonsense() {
        let piece = |kind: &str, value: &[u8]| Information {
            kind: names::info_type(kind).unwrap(),
            value: Some(value.to_vec()),
        };
        for value in [&b""[..], b"\x30\x00", b"\x30\x02\x05\x00", b"hello"] {
            let kinds = ["caCerts", "rootCaKeyUpdate", "crls", "currentCRL"];
            let pieces: Vec<_> = kinds.iter().map(|kind| piece(kind, value)).collect();
            let answers = Answers::read(&pieces);
            assert!(answers.authorities.is_empty() && answers.new_root.is_none());
            assert!(answers.list.is_none());
            assert!(answers.check_update(None).is_ok());
        }
    }

    #[test]
    fn an_update_must_fit() {
        let (old_key, new_key) = (fixtures::key(), fixtures::key());
        let make = |key: &_, signer: Option<(&X509, &_)>| {
            fixtures::certificate("/CN=root", key, signer, true)
        };
        let (old, new) = (make(&old_key, None), make(&new_key, None));
        let by_old = make(&new_key, Some((&old, &old_key)));
        let by_new = make(&old_key, Some((&new, &new_key)));
        let update = |new: &X509, by_old: &X509, by_new: &X509| {
            let part = |number, one: &X509| wrap(tag::constructed(number), &one.to_der().unwrap());
            let parts = [new.to_der().unwrap(), part(0, by_old), part(1, by_new)].concat();
            let answers = Answers::read(&[Information {
                kind: names::info_type("rootCaKeyUpdate").unwrap(),
                value: Some(wrap(tag::SEQUENCE, &parts)),
            }]);
            answers.check_update(Some(&old)).is_ok()
        };
        assert!(update(&new, &by_old, &by_new));
        assert!(!update(&new, &by_new, &by_old));
        assert!(!update(&by_old, &by_old, &by_new));
        assert!(!update(&old, &by_old, &by_new));
    }
}
