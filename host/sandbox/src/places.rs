//! How many executions may be under way at once, and who waits for a place.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Executions by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Executions that have a place, those that wait for an answer of the host among them.
    pub under_way: usize,
    /// Executions that wait for a place.
    pub waiting: usize,
}

pub(crate) struct Places {
    free: Semaphore,
    max: usize,
    waiting: AtomicUsize,
}

impl Places {
    pub(crate) fn new(max: u32) -> Places {
        let max = usize::try_from(max).unwrap_or(1);
        Places { free: Semaphore::new(max), max, waiting: AtomicUsize::new(0) }
    }

    /// A place for one execution, for as long as the value lives; it comes to those first who waited longest. None when nobody gives
    /// any more, which never happens.
    pub(crate) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        let _waits = Waits::begin(&self.waiting);
        self.free.acquire().await.ok()
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy {
            under_way: self.max.saturating_sub(self.free.available_permits()),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}

/// Somebody waits, until they have a place or give up.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn begin(waiting: &AtomicUsize) -> Waits<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[tokio::test]
    async fn who_waits_is_counted_until_there_is_a_place_or_they_give_up() {
        let places = Places::new(2);
        let (first, _second) = (places.take().await, places.take().await);
        assert_eq!(places.occupancy(), Occupancy { under_way: 2, waiting: 0 });
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut given_up = pin!(places.take());
            assert!(given_up.as_mut().poll(&mut context).is_pending());
            assert_eq!(places.occupancy(), Occupancy { under_way: 2, waiting: 1 });
        }
        assert_eq!(places.occupancy(), Occupancy { under_way: 2, waiting: 0 });
        let third = places.take();
        drop(first);
        let third = third.await;
        assert_eq!(places.occupancy(), Occupancy { under_way: 2, waiting: 0 });
        drop(third);
        assert_eq!(places.occupancy(), Occupancy { under_way: 1, waiting: 0 });
    }
}
