//! Work on many items by all processors: certificates that are issued by the thousand are mostly arithmetic.
//!
//! Pure. What runs in other threads may know neither an interpreter nor a database, which belong to the caller's: there
//! the results are taken, and who watches is told.

use std::collections::BTreeMap;
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
    steps: Steps<'_>,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let mut made = Vec::with_capacity(items.len());
    each(items, steps, work, |one| {
        made.push(one);
        Ok(())
    })?;
    Ok(made)
}

/// Gives `take` what `work` makes of each item, in their order, until one of them fails.
///
/// `take` runs in the caller's thread, while the others work on what follows.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    mut steps: Steps<'_>,
    work: impl Fn(&T) -> Result<R> + Sync,
    mut take: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    let threads = match items.len() / FEW {
        // To ask how many processors there are takes a while.
        few @ 0..2 => few,
        many => many.min(MOST).min(processors()),
    };
    let mut take = |one| {
        take(one)?;
        steps.one()
    };
    if threads < 2 {
        return items.iter().try_for_each(|item| take(work(item)?));
    }
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, made) = mpsc::channel();
    let worker = |done: mpsc::Sender<(usize, Result<Vec<R>>)>| {
        // Parts are taken in their order, so that all before the first error are there.
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(FEW, Ordering::Relaxed);
            let part = items.get(at..items.len().min(at.saturating_add(FEW)));
            let Some(part) = part.filter(|part| !part.is_empty()) else {
                break;
            };
            let part = part.iter().map(&work).collect::<Result<Vec<R>>>();
            if part.is_err() {
                stopped.store(true, Ordering::Relaxed);
            }
            if done.send((at, part)).is_err() {
                break;
            }
        }
    };
    let worker = &worker;
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let done = done.clone();
                scope.spawn(move || worker(done))
            })
            .collect();
        drop(done);
        let taken = in_order(made, &mut take);
        stopped.store(true, Ordering::Relaxed);
        let mut ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        match ended.any(|ended| ended.is_err()) {
            true => Err(Error::failed(
                Reason::Panic,
                "a thread of the authority panicked",
            )),
            false => taken,
        }
    })
}

/// How many threads can work at once.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Takes parts in the order of their places, whichever is ready first.
fn in_order<R>(
    parts: mpsc::Receiver<(usize, Result<Vec<R>>)>,
    take: &mut dyn FnMut(R) -> Result<()>,
) -> Result<()> {
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (at, part) in parts {
        early.insert(at, part);
        while let Some(part) = early.remove(&next) {
            let part = part?;
            next += part.len();
            part.into_iter().try_for_each(&mut *take)?;
        }
    }
    Ok(())
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

    #[test]
    fn results_are_taken_while_others_are_made() {
        let items: Vec<usize> = (0..1000).collect();
        let here = thread::current().id();
        let (made, mut taken) = (AtomicUsize::new(0), Vec::new());
        let mut nobody = Nobody;
        let work = |item: &usize| {
            assert_ne!(thread::current().id(), here);
            // The last part waits until one of the others has been taken.
            while *item + FEW >= items.len() && made.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            Ok(*item)
        };
        let take = |item| {
            assert_eq!(thread::current().id(), here);
            made.fetch_add(1, Ordering::SeqCst);
            taken.push(item);
            Ok(())
        };
        if processors() > 1 {
            each(&items, unwatched(&mut nobody, &items), work, take).unwrap();
            assert_eq!(taken, items);
        }
    }

    #[test]
    fn who_takes_may_end_it() {
        let items: Vec<u32> = (0..1000).collect();
        let (mut nobody, mut taken) = (Nobody, 0);
        let steps = unwatched(&mut nobody, &items);
        let outcome = each(
            &items,
            steps,
            |item| Ok(*item),
            |item| {
                taken += 1;
                match item {
                    500 => Err(Error::failed(Reason::CaCreate, "full")),
                    _ => Ok(()),
                }
            },
        );
        assert_eq!(outcome.unwrap_err().message(), "full");
        assert_eq!(taken, 501);
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
