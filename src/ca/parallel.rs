//! Work on many items by all processors: certificates that are issued by the thousand are mostly arithmetic.
//!
//! Pure. Nothing that runs here may know an interpreter, which belongs to its thread; who watches is told in the
//! caller's.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::error::{Error, Reason, Result};

use super::watch::Steps;

/// Up to so many items a single thread is done before others have begun; and so many a thread takes at a time.
const FEW: usize = 8;

/// More threads than this are of no use to the rest of the machine.
const MOST: usize = 16;

/// What `work` makes of each item, in their order; or the first error in that order.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    mut steps: Steps<'_>,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(MOST).min(items.len() / FEW);
    if threads < 2 {
        let one = |item| {
            let made = work(item)?;
            steps.one()?;
            Ok(made)
        };
        return items.iter().map(one).collect();
    }
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, told) = mpsc::channel();
    let worker = |done: mpsc::Sender<()>| {
        let mut parts = Vec::new();
        // The parts are taken in their order, so that whoever has the first error has had it in view.
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(FEW, Ordering::Relaxed);
            let Some(part) = items.get(at..items.len().min(at.saturating_add(FEW))) else {
                break;
            };
            if part.is_empty() {
                break;
            }
            let made = part.iter().map(|item| {
                let made = work(item)?;
                // Who waits for it is there as long as this.
                let _ = done.send(());
                Ok(made)
            });
            let made: Result<Vec<R>> = made.collect();
            let failed = made.is_err();
            parts.push((at, made));
            if failed {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        parts
    };
    let worker = &worker;
    let (parts, seen) = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let done = done.clone();
                scope.spawn(move || worker(done))
            })
            .collect();
        drop(done);
        let seen = told.iter().try_for_each(|()| steps.one());
        if seen.is_err() {
            stopped.store(true, Ordering::Relaxed);
        }
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        (ended.collect::<Vec<_>>(), seen)
    });
    let panicked = |_| Error::failed(Reason::Panic, "a thread of the authority panicked");
    let mut all = Vec::with_capacity(items.len());
    for part in parts {
        all.extend(part.map_err(panicked)?);
    }
    all.sort_by_key(|(at, _)| *at);
    let mut made = Vec::with_capacity(items.len());
    for (_, part) in all {
        made.extend(part?);
    }
    seen.map(|()| made)
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Nobody, Watch};
    use super::*;

    /// The steps of so many items that nobody looks at.
    fn unwatched<'a, T>(nobody: &'a mut Nobody, items: &[T]) -> Steps<'a> {
        Steps::certificates(nobody, items.len())
    }

    #[test]
    fn the_order_stays() {
        for count in [0, 1, 7, 16, 1000, 1001] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = (0..count).map(|item| 2 * item).collect();
            let mut nobody = Nobody;
            let steps = unwatched(&mut nobody, &items);
            assert_eq!(map(&items, steps, |item| Ok(2 * item)).unwrap(), doubled);
        }
    }

    #[test]
    fn the_first_error_counts() {
        let items: Vec<u32> = (0..1000).collect();
        let mut nobody = Nobody;
        let steps = unwatched(&mut nobody, &items);
        let outcome = map(&items, steps, |item| match item % 300 {
            299 => Err(Error::failed(Reason::CaCreate, item.to_string())),
            _ => Ok(()),
        });
        assert_eq!(outcome.unwrap_err().message(), "299");
    }

    /// Somebody who has seen enough after some calls.
    struct Impatient {
        /// What he was told.
        told: Vec<(u64, Option<u64>)>,
        /// How many calls he bears.
        calls: usize,
    }

    impl Watch for Impatient {
        fn tell(&mut self, done: u64, total: Option<u64>) -> Result<()> {
            self.told.push((done, total));
            match self.told.len() < self.calls {
                true => Ok(()),
                false => Err(Error::failed(Reason::CaConfirm, "enough")),
            }
        }

        fn decide(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_watches_is_told_in_order_and_may_end_it() {
        for count in [7, 250, 1000] {
            let items: Vec<u32> = (0..count).collect();
            let mut watch = Impatient {
                told: Vec::new(),
                calls: 100,
            };
            let steps = Steps::certificates(&mut watch, items.len());
            map(&items, steps, |_| Ok(())).unwrap();
            let total = u64::from(count);
            let mut expected: Vec<u64> = (1..=total / 100).map(|step| 100 * step).collect();
            expected.extend((total % 100 > 0).then_some(total));
            let expected: Vec<_> = expected.into_iter().map(|at| (at, Some(total))).collect();
            assert_eq!(watch.told, expected);
        }
        let items: Vec<u32> = (0..10_000).collect();
        let mut watch = Impatient {
            told: Vec::new(),
            calls: 2,
        };
        let steps = Steps::certificates(&mut watch, items.len());
        let outcome = map(&items, steps, |_| Ok(()));
        assert_eq!(outcome.unwrap_err().message(), "enough");
        assert_eq!(watch.told.len(), 2);
    }
}
