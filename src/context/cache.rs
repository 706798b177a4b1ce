//! What is kept for the next connection: contexts, certificate stores, and the fingerprints of files.
//!
//! All of it is the process's: threads and interpreters share it. The lock is held for a look or an entry only,
//! never while a file is read, a password is asked for, or OpenSSL builds something.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::Lazy;
use openssl::x509::store::X509Store;

use super::files::Stamp;
use super::fingerprint::Fingerprint;
use super::{Context, PasswordOwner};

/// How many contexts are kept. Connections keep theirs alive in any case.
const CONTEXTS: usize = 128;

/// How many certificate stores are kept.
const STORES: usize = 32;

/// Of how many files the fingerprint is remembered.
const FILES: usize = 1024;

/// A map of limited size, which forgets what was used least recently.
pub(super) struct Recent<K, V> {
    /// The values, with the time of their last use.
    map: HashMap<K, (u64, V)>,
    /// A clock that ticks with each use.
    clock: u64,
    /// The size.
    limit: usize,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// An empty map.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            map: HashMap::new(),
            clock: 0,
            limit,
        }
    }

    /// The value of a key.
    pub(super) fn find(&mut self, key: &K) -> Option<&mut V> {
        self.clock += 1;
        let (used, value) = self.map.get_mut(key)?;
        *used = self.clock;
        Some(value)
    }

    /// Enters a value; what it replaces or pushes out is returned, to be dropped when the lock isn't held any more.
    pub(super) fn enter(&mut self, key: K, value: V) -> Option<V> {
        self.clock += 1;
        let replaced = self.map.insert(key, (self.clock, value));
        if replaced.is_none() && self.map.len() > self.limit {
            let oldest = self.map.iter().min_by_key(|(_, (used, _))| *used);
            let oldest = oldest.map(|(key, _)| key.clone());
            return oldest
                .and_then(|key| self.map.remove(&key))
                .map(|(_, value)| value);
        }
        replaced.map(|(_, value)| value)
    }
}

/// The contexts for some settings, as long as the files that they name stay the same.
struct Generation {
    /// The fingerprint of the files' contents.
    contents: Fingerprint,
    /// The contexts.
    contexts: Contexts,
}

/// Whom a context may be given to.
enum Contexts {
    /// To anybody with these settings.
    Open(Arc<Context>),
    /// Its private key was encrypted: only to those who gave the password, by whatever script they gave it.
    Locked(HashMap<PasswordOwner, Arc<Context>>),
}

/// Everything that is kept.
struct Kept {
    /// Contexts by settings.
    contexts: Recent<Fingerprint, Generation>,
    /// Certificate stores by the settings of trust, each with the fingerprint of what it was built from.
    stores: Recent<Fingerprint, (Fingerprint, X509Store)>,
    /// Fingerprints of files by path, good for one stamp.
    files: Recent<String, (Stamp, Fingerprint)>,
}

/// The one instance, locked.
fn kept() -> MutexGuard<'static, Kept> {
    static KEPT: Lazy<Mutex<Kept>> = Lazy::new(|| {
        Mutex::new(Kept {
            contexts: Recent::new(CONTEXTS),
            stores: Recent::new(STORES),
            files: Recent::new(FILES),
        })
    });
    // What is in the cache is whole at any time, so a panic elsewhere while it was locked does no harm.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The context for some settings and contents, if it is there and this owner may have it.
pub(super) fn context(
    settings: &Fingerprint,
    contents: &Fingerprint,
    owner: Option<PasswordOwner>,
) -> Option<Arc<Context>> {
    let mut kept = kept();
    let generation = kept.contexts.find(settings)?;
    if generation.contents != *contents {
        return None;
    }
    let found = match &generation.contexts {
        Contexts::Open(context) => context,
        Contexts::Locked(contexts) => contexts.get(&owner?)?,
    };
    COUNTERS.hits.add();
    Some(Arc::clone(found))
}

/// Keeps a context. If another thread was quicker with an equal one, that one is returned in its place.
pub(super) fn keep_context(
    settings: Fingerprint,
    contents: Fingerprint,
    locked_by: Option<Option<PasswordOwner>>,
    context: Arc<Context>,
) -> Arc<Context> {
    let dropped;
    {
        let mut kept = kept();
        let generation = kept
            .contexts
            .find(&settings)
            .filter(|generation| generation.contents == contents);
        let contexts = match (generation, locked_by) {
            (Some(generation), None) => match &generation.contexts {
                Contexts::Open(found) => return Arc::clone(found),
                Contexts::Locked(_) => Contexts::Open(Arc::clone(&context)),
            },
            (Some(generation), Some(Some(owner))) => match &mut generation.contexts {
                Contexts::Locked(contexts) => {
                    return Arc::clone(contexts.entry(owner).or_insert(context));
                }
                Contexts::Open(_) => {
                    Contexts::Locked(HashMap::from([(owner, Arc::clone(&context))]))
                }
            },
            (None, None) => Contexts::Open(Arc::clone(&context)),
            (None, Some(Some(owner))) => {
                Contexts::Locked(HashMap::from([(owner, Arc::clone(&context))]))
            }
            // Somebody gave the password without saying who he is: the context is his alone.
            (_, Some(None)) => return context,
        };
        let generation = Generation { contents, contexts };
        dropped = kept.contexts.enter(settings, generation);
    }
    drop(dropped);
    context
}

/// The store for some settings of trust and some contents.
pub(super) fn store<T>(
    trust: &Fingerprint,
    contents: &Fingerprint,
    share: impl FnOnce(&X509Store) -> T,
) -> Option<T> {
    let mut kept = kept();
    let (built_from, store) = kept.stores.find(trust)?;
    (built_from == contents).then(|| share(store))
}

/// Keeps a store.
pub(super) fn keep_store(trust: Fingerprint, contents: Fingerprint, store: X509Store) {
    let dropped = kept().stores.enter(trust, (contents, store));
    drop(dropped);
}

/// The fingerprint of a file with this stamp.
pub(super) fn file(path: &str, stamp: &Stamp) -> Option<Fingerprint> {
    let mut kept = kept();
    let (known, fingerprint) = kept.files.find(&path.to_owned())?;
    (known == stamp).then_some(*fingerprint)
}

/// Remembers the fingerprint of a file for as long as it has this stamp.
pub(super) fn keep_file(path: &str, stamp: Stamp, fingerprint: Fingerprint) {
    kept().files.enter(path.to_owned(), (stamp, fingerprint));
}

/// A counter that never goes back.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts one more; the new value.
    pub(crate) fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many there were, for the command that debug builds have.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What has been done since the process started.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Contexts built.
    pub(crate) contexts: Counter,
    /// Contexts found, and so not built.
    pub(crate) hits: Counter,
    /// Certificate stores built.
    pub(crate) stores: Counter,
    /// Files read.
    pub(crate) reads: Counter,
    /// Sessions kept for other connections of clients.
    pub(crate) sessions: Counter,
    /// Connections of clients that offered a kept session.
    pub(crate) offers: Counter,
    /// Sets of options that were looked at to make connections of them.
    pub(crate) prepared: Counter,
    /// OpenSSL's connections made.
    pub(crate) connections: Counter,
    /// Records of data that were written.
    pub(crate) records: Counter,
    /// Reads of the channels below.
    pub(crate) below_reads: Counter,
    /// Writes to the channels below.
    pub(crate) below_writes: Counter,
    /// Numbers given to what must never look equal to anything.
    pub(super) unique: Counter,
}

/// The counters.
pub(crate) static COUNTERS: Counters = Counters {
    contexts: Counter(AtomicU64::new(0)),
    hits: Counter(AtomicU64::new(0)),
    stores: Counter(AtomicU64::new(0)),
    reads: Counter(AtomicU64::new(0)),
    sessions: Counter(AtomicU64::new(0)),
    offers: Counter(AtomicU64::new(0)),
    prepared: Counter(AtomicU64::new(0)),
    connections: Counter(AtomicU64::new(0)),
    records: Counter(AtomicU64::new(0)),
    below_reads: Counter(AtomicU64::new(0)),
    below_writes: Counter(AtomicU64::new(0)),
    unique: Counter(AtomicU64::new(0)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_recently_is_forgotten() {
        let mut recent = Recent::new(2);
        assert_eq!(recent.enter("a", 1), None);
        assert_eq!(recent.enter("b", 2), None);
        assert!(recent.find(&"a").is_some());
        assert_eq!(recent.enter("c", 3), Some(2));
        assert_eq!(recent.enter("a", 4), Some(1));
        assert!(recent.find(&"b").is_none() && recent.find(&"c").is_some());
    }
}
