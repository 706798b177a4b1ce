//! Work on many items by all processors: certificates that are issued by the thousand are mostly arithmetic.
//!
//! Pure. Nothing that runs here may know an interpreter, which belongs to its thread.

use std::num::NonZero;
use std::thread;

use crate::error::{Error, Reason, Result};

/// Up to so many items a single thread is done before others have begun.
const FEW: usize = 8;

/// More threads than this are of no use to the rest of the machine.
const MOST: usize = 16;

/// What `work` makes of each item, in their order; or the first error in that order.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(MOST).min(items.len() / FEW);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads);
    let work = &work;
    let parts = thread::scope(|scope| {
        let running: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Result<Vec<R>>>()))
            .collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        ended.collect::<Vec<_>>()
    });
    let mut all = Vec::with_capacity(items.len());
    for part in parts {
        let panicked = |_| Error::failed(Reason::Panic, "a thread of the authority panicked");
        all.extend(part.map_err(panicked)??);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays() {
        for count in [0, 1, 7, 16, 1000, 1001] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = (0..count).map(|item| 2 * item).collect();
            assert_eq!(map(&items, |item| Ok(2 * item)).unwrap(), doubled);
        }
    }

    #[test]
    fn the_first_error_counts() {
        let items: Vec<u32> = (0..1000).collect();
        let outcome = map(&items, |item| match item % 300 {
            299 => Err(Error::failed(Reason::CaCreate, item.to_string())),
            _ => Ok(()),
        });
        assert_eq!(outcome.unwrap_err().message(), "299");
    }
}
