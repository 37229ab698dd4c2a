//! The buckets that were charged since the other nodes were last told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_queue::ArrayQueue;

use super::super::bucket::Bucket;
use super::wire::Taken;

/// The most buckets that wait to be told of. Of more than that, a bucket is told of later, once it is
/// charged again.
const MOST: usize = 65_536;

/// A queue whose room is made beforehand, so that whoever charges neither waits nor allocates.
#[derive(Debug)]
pub(crate) struct Outbox(ArrayQueue<Arc<Bucket>>);

impl Outbox {
    pub(crate) fn new() -> Self {
        Self(ArrayQueue::new(MOST))
    }

    /// Notes units that were taken.
    pub(crate) fn note(&self, bucket: &Arc<Bucket>, units: u64) {
        if bucket.note(units) && self.0.push(Arc::clone(bucket)).is_err() {
            bucket.queued.store(false, Ordering::Release);
        }
    }

    fn next(&self) -> Option<(Arc<Bucket>, u64)> {
        let bucket = self.0.pop()?;
        // In this order: what is noted from here on comes into the queue again.
        bucket.queued.swap(false, Ordering::AcqRel);
        let units = bucket.take_untold();
        Some((bucket, units))
    }

    /// Takes out what is to be told, of so many buckets at most.
    pub(super) fn take(&self, most: usize) -> Vec<Taken> {
        let all = std::iter::from_fn(|| self.next()).filter(|(_, units)| *units > 0);
        let all = all.map(|(bucket, units)| Taken::new(&bucket.key, bucket.rate, units));
        all.take(most).collect()
    }

    /// Forgets what is to be told.
    pub(super) fn discard(&self) {
        while self.next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::super::bucket::bucket;
    use super::super::super::gcra::rate;
    use super::*;

    #[test]
    fn a_bucket_waits_once_with_all_its_units() {
        let outbox = Outbox::new();
        let one = Arc::new(bucket(rate(10, 1, 10)));
        let other = Arc::new(bucket(rate(20, 1, 10)));
        outbox.note(&one, 3);
        outbox.note(&other, 1);
        outbox.note(&one, 4);
        let taken = outbox.take(10);
        let units = |taken: &[Taken]| taken.iter().map(|it| it.units).collect::<Vec<_>>();
        assert_eq!(units(&taken), [7, 1]);
        assert_eq!(taken[1].rate(), other.rate);
        assert!(outbox.take(10).is_empty());
        outbox.note(&one, 1);
        outbox.note(&other, 1);
        assert_eq!(units(&outbox.take(1)), [1]);
        outbox.discard();
        assert!(outbox.take(10).is_empty());
    }

    #[test]
    fn what_is_given_back_is_told_of_as_less() {
        let outbox = Outbox::new();
        let one = Arc::new(bucket(rate(10, 1, 10)));
        outbox.note(&one, 3);
        one.forgo(2);
        assert_eq!(outbox.take(10)[0].units, 1);
        // Given back only when the others had been told.
        one.forgo(4);
        outbox.note(&one, 3);
        assert!(outbox.take(10).is_empty());
        outbox.note(&one, 3);
        assert_eq!(outbox.take(10)[0].units, 2);
    }

    #[test]
    fn what_has_no_room_is_told_of_later() {
        let outbox = Outbox(ArrayQueue::new(1));
        let one = Arc::new(bucket(rate(10, 1, 10)));
        let other = Arc::new(bucket(rate(10, 1, 10)));
        outbox.note(&one, 1);
        outbox.note(&other, 2);
        assert_eq!(outbox.take(10).len(), 1);
        outbox.note(&other, 3);
        assert_eq!(outbox.take(10)[0].units, 5);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let outbox = Outbox::new();
        let one = Arc::new(bucket(rate(10, 1, 10)));
        let mut told = 0;
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..10_000).for_each(|_| outbox.note(&one, 1))))
                .collect();
            while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
                told += outbox.take(10).iter().map(|it| it.units).sum::<u64>();
                thread::yield_now();
            }
        });
        told += outbox.take(10).iter().map(|it| it.units).sum::<u64>();
        assert_eq!(told, 40_000);
    }
}
