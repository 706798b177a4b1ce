//! What a call does once the interpreter has been asked for everything that it alone knows.
//!
//! A [`Task`] can be carried out in any thread, as long as the database is in files. It leaves an [`Outcome`].

use std::sync::Arc;

use super::issue::Issuing;
use super::list::Listing;
use super::outcome::{Ground, Outcome};
use super::revoke::Revocation;
use crate::ca::authority::Authority;
use crate::ca::config::Config;
use crate::ca::issue::{Issuer, Numbering};
use crate::ca::store::{Purpose, Store};
use crate::ca::watch::{Watch, Watched};
use crate::error::Result;

/// What is done, with a database that is opened for it.
pub(super) type Work = Box<dyn FnOnce(&mut dyn Ground, &mut dyn Watch) -> Result<Outcome> + Send>;

/// Certificates, lists and records: several of these may be asked for in one call.
pub(super) struct Task {
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// What signs, where anything is signed.
    pub(super) authority: Option<Authority>,
    /// Whether what has ended is marked, and whether it is told.
    pub(super) updating: Option<bool>,
    /// The certificates to be issued.
    pub(super) issuing: Option<Issuing>,
    /// The list to be made.
    pub(super) listing: Option<Listing>,
    /// The certificate to be revoked or entered.
    pub(super) revocation: Option<Revocation>,
    /// Now.
    pub(super) now: i64,
}

impl Task {
    /// Does it, in the program's order.
    pub(super) fn carry_out(
        mut self,
        ground: &mut dyn Ground,
        watch: &mut dyn Watch,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let applicants = match &mut self.issuing {
            Some(issuing) => issuing.applicants()?,
            None => Vec::new(),
        };
        let issuer = match (&self.authority, &self.issuing) {
            (Some(authority), Some(issuing)) => Some(Issuer {
                authority,
                config: &self.config,
                profile: &issuing.profile,
                now: self.now,
            }),
            _ => None,
        };
        let refused = self
            .issuing
            .as_ref()
            .and_then(|issuing| issuing.refused.as_deref());
        if let (Some(listing), Some(authority)) = (&mut self.listing, &self.authority) {
            listing.read_base(authority)?;
        }
        let mut store = ground.open(self.purpose(), watch)?;
        let mut store = Watched::new(store.as_mut(), watch);
        outcome.step("opened the database");
        if let Some(told) = self.updating {
            insist(&mut store, &mut |store| {
                super::revoke::update(store, self.now, told, &mut outcome)
            })?;
        }
        if let Some(issuer) = &issuer {
            insist(&mut store, &mut |store| {
                super::issue::issue(issuer, &applicants, refused, store, ground, &mut outcome)
            })?;
        }
        if let (Some(listing), Some(authority)) = (&self.listing, &self.authority) {
            insist(&mut store, &mut |store| {
                listing.list(authority, &self.config, store, ground, &mut outcome)
            })?;
        }
        if let Some(revocation) = &self.revocation {
            insist(&mut store, &mut |store| {
                revocation.revoke(store, self.now, &mut outcome)
            })?;
        }
        outcome.info.put("repaired", store.repairs().to_vec());
        if let Some(count) = store.len() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            outcome.info.put("records", count);
        }
        outcome.let_out()?;
        Ok(outcome)
    }

    /// What the database is opened for.
    fn purpose(&self) -> Purpose {
        let random = self
            .issuing
            .as_ref()
            .is_some_and(|issuing| issuing.profile.numbering == Numbering::Random);
        let others = self.listing.is_some() || self.revocation.is_some() || self.updating.is_some();
        match random && !others {
            true => Purpose::Add,
            false => Purpose::Change,
        }
    }
}

/// Does work on a database, again if others have spoilt it.
fn insist(
    store: &mut Watched<'_>,
    work: &mut dyn FnMut(&mut Watched<'_>) -> Result<()>,
) -> Result<()> {
    loop {
        match work(store) {
            Err(error) if store.may_repeat(&error) => {}
            done => return done,
        }
    }
}
