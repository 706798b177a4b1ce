//! Which applicants can have certificates: all or none of them, or those who can, whatever the others ask for.

use super::{Issuer, doubles, not_unique};
use crate::ca::parallel;
use crate::ca::request::Applicant;
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
        refusal(refused.iter().map(|one| &one.error), refused.len())
    }
}

/// What was attempted for each of several requests, if none of them is refused.
pub(crate) fn all_or_none<T>(attempts: Vec<Result<T>>) -> Result<Vec<T>> {
    let refused = attempts.iter().filter_map(|one| one.as_ref().err());
    match refusal(refused, attempts.len()) {
        Some(error) => Err(error),
        None => attempts.into_iter().collect(),
    }
}

/// The error where some of so many requests are refused: it tells all of them, and has the code of the first.
fn refusal<'a>(refused: impl Iterator<Item = &'a Error> + Clone, all: usize) -> Option<Error> {
    let mut first = refused.clone().next()?.clone();
    let mut messages: Vec<String> = refused.map(Error::message).collect();
    let count = messages.len();
    messages.dedup();
    // What is wrong with all of them alike isn't theirs.
    if all > 1
        && (count < all || messages.len() > 1)
        && let Error::Failed { message, .. } = &mut first
    {
        let are = if count == 1 { "is" } else { "are" };
        let why = messages.join("; ");
        *message =
            format!("{count} of {all} requests {are} refused, so that nothing is issued: {why}");
    }
    Some(first)
}

impl Issuer<'_> {
    /// Tells those who can have certificates from those who can't. Of two who want the same subject where only one may
    /// have it, that is the first.
    pub(crate) fn sieve<'a>(
        &self,
        applicants: &'a [Applicant],
        store: &mut dyn Store,
    ) -> Result<(Vec<&'a Applicant>, Vec<Refusal>)> {
        let mut nobody = Nobody;
        let steps = Steps::certificates(&mut nobody, applicants.len());
        let drafted = parallel::map(applicants, steps, |applicant| {
            let draft = self.draft(applicant, &Serial::default());
            Ok(draft.map(|draft| name::oneline(draft.certificate.subject_name())))
        })?;
        let mut fine = Vec::with_capacity(applicants.len());
        let mut subjects = Vec::with_capacity(applicants.len());
        let mut refused = Vec::new();
        for (applicant, drafted) in applicants.iter().zip(drafted) {
            match drafted {
                Ok(subject) => {
                    fine.push(applicant);
                    // Without a subject the record has the serial number in its place, which is nobody else's.
                    subjects.push(subject);
                }
                Err(error) => refused.push(Refusal::new(&applicant.source, error)),
            }
        }
        if !store.unique_subject()? {
            return Ok((fine, refused));
        }
        let names: Vec<&[u8]> = subjects.iter().map(String::as_bytes).collect();
        let doubles = doubles(&names, store)?;
        let mut left = Vec::with_capacity(fine.len());
        for (at, applicant) in fine.into_iter().enumerate() {
            match doubles.binary_search(&at) {
                Ok(_) => {
                    let error = not_unique(&applicant.source, names[at]);
                    refused.push(Refusal::new(&applicant.source, error));
                }
                Err(_) => left.push(applicant),
            }
        }
        Ok((left, refused))
    }
}
