//! `tls::Debug`, in debug builds only: what tests need to see and to provoke.

use crate::context::COUNTERS;
use crate::error::{Error, Result};
use crate::tcl::{Interp, Obj, obj};

/// `tls::Debug panic`: panics. `tls::Debug counters`: how often costly work was done in this process; a dict.
#[expect(clippy::panic, reason = "a test wants to see what becomes of a panic")]
pub(super) fn debug(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    match words.first().map(Obj::as_text).as_deref() {
        Some("panic") => panic!("as asked for"),
        Some("counters") => Ok(counters()),
        _ => Err(Error::wrong_args("tls::Debug panic|counters")),
    }
}

/// The counters as a dict.
fn counters() -> Obj {
    let count = |value: u64| Obj::text(&value.to_string());
    Obj::dict([
        ("belowReads", count(COUNTERS.below_reads.value())),
        ("belowWrites", count(COUNTERS.below_writes.value())),
        ("connections", count(COUNTERS.connections.value())),
        ("contexts", count(COUNTERS.contexts.value())),
        ("hits", count(COUNTERS.hits.value())),
        (
            "objects",
            count(obj::MADE.load(std::sync::atomic::Ordering::Relaxed)),
        ),
        ("offers", count(COUNTERS.offers.value())),
        ("prepared", count(COUNTERS.prepared.value())),
        ("reads", count(COUNTERS.reads.value())),
        ("records", count(COUNTERS.records.value())),
        ("sessions", count(COUNTERS.sessions.value())),
        ("stores", count(COUNTERS.stores.value())),
    ])
}
