//! Which applicants can have certificates, where those who can't don't keep the others from theirs.

use std::collections::HashSet;

use super::{Issuer, not_unique};
use crate::ca::parallel;
use crate::ca::request::{Applicant, all_refused};
use crate::ca::serial::Serial;
use crate::ca::store::Store;
use crate::ca::watch::{Nobody, Steps};
use crate::error::{Error, Result};
use crate::x509::name;

/// A request that was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// Where the request came from.
    pub(crate) source: String,
    /// Why.
    pub(crate) error: Error,
}

impl Refusal {
    /// The refusal of what somebody asks for.
    pub(crate) fn new(source: &str, error: Error) -> Self {
        let source = source.to_owned();
        Self { source, error }
    }

    /// The error where nobody is left.
    pub(crate) fn nobody_left(refused: &[Self]) -> Option<Error> {
        let first = refused.first()?.error.clone();
        Some(all_refused(first, refused, |one| Some(one.error.clone())))
    }
}

impl Issuer<'_> {
    /// Tells those who can have certificates from those who can't. Of two who want the same subject where only one may
    /// have it, that is the first.
    pub(crate) fn sieve<'a>(
        &self,
        applicants: &'a [Applicant],
        store: &mut dyn Store,
    ) -> Result<(Vec<&'a Applicant>, Vec<Refusal>)> {
        let unique = store.unique_subject()?;
        let mut nobody = Nobody;
        let steps = Steps::certificates(&mut nobody, applicants.len());
        let drafted = parallel::map(applicants, steps, |applicant| {
            let draft = self.draft(applicant, &Serial::default());
            Ok(draft.map(|draft| name::oneline(draft.certificate.subject_name())))
        })?;
        let mut fine = Vec::new();
        let mut refused = Vec::new();
        for (applicant, drafted) in applicants.iter().zip(drafted) {
            match drafted {
                Ok(subject) => fine.push((applicant, subject.into_bytes())),
                Err(error) => refused.push(Refusal::new(&applicant.source, error)),
            }
        }
        let names: Vec<&[u8]> = fine.iter().map(|(_, subject)| subject.as_slice()).collect();
        let mut known = HashSet::new();
        let mut next = 0;
        while unique && let Some(found) = store.first_valid(&names[next..])? {
            known.insert(next + found);
            next += found + 1;
        }
        let mut seen = HashSet::new();
        let mut left = Vec::with_capacity(fine.len());
        for (at, (applicant, subject)) in fine.iter().enumerate() {
            // Where there is no subject, the record has the serial number in its place.
            let taken = unique
                && !subject.is_empty()
                && (known.contains(&at) || !seen.insert(subject.as_slice()));
            match taken {
                true => {
                    let error = not_unique(&applicant.source, subject);
                    refused.push(Refusal::new(&applicant.source, error));
                }
                false => left.push(*applicant),
            }
        }
        Ok((left, refused))
    }
}
