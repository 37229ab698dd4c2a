//! All buckets of a node: apart from the cache of tokens, because a token that is evicted and read
//! again must not find its limits untouched.
//!
//! Looked at only where a token is read, where other nodes tell of theirs, and in the background; a hit
//! holds its buckets already.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tollkeeper_domain::rate_limit::RateLimit;

use super::bucket::{Bucket, Key, Owner};
use super::gcra::{Rate, ticks};

const SHARDS: usize = 64;

/// Buckets in a shard before it is first looked through.
const FIRST_SWEEP: usize = 64;

/// What the map takes for a bucket beside the bucket itself, and what the allocator adds.
const OVERHEAD_BYTES: usize = 100;

/// The buckets, in shards by their owner.
///
/// Those that a token in memory holds are part of what the token weighs in its cache. Of the others, a
/// bucket whose time has passed is forgotten, as it is as good as a new one. Of those that still have
/// something to say, only so many are kept: beyond it, the ones go first that would be as good as new
/// the soonest, each of which is counted. As many again are kept that only other nodes have told of, and
/// those never push out the rest.
#[derive(Debug)]
pub(crate) struct Buckets {
    shards: Box<[Mutex<Shard>]>,
    /// When the clock of the ticks began, in nanoseconds since boot.
    began: u64,
    /// The most buckets of a shard that no token in memory holds.
    spare: usize,
    /// The shard to be looked through next.
    turn: AtomicUsize,
    forgotten: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    buckets: HashMap<Key, Arc<Bucket>>,
    sweep_at: usize,
    /// Of these, at most so many that only other nodes have told of.
    hearsay: usize,
}

impl Buckets {
    /// No buckets. `spare` is how many are kept that no token in memory holds.
    pub(crate) fn new(boot_nanos: u64, spare: usize) -> Self {
        let shard = || {
            Mutex::new(Shard {
                buckets: HashMap::new(),
                sweep_at: FIRST_SWEEP,
                hearsay: 0,
            })
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            began: boot_nanos,
            spare: spare.div_ceil(SHARDS),
            turn: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    /// The time of a moment of the monotonic clock: a wall clock that jumps gives and takes nothing.
    pub(crate) fn ticks(&self, boot_nanos: u64) -> u64 {
        ticks(boot_nanos.saturating_sub(self.began))
    }

    fn shard(&self, owner: Owner) -> &Mutex<Shard> {
        let (Owner::Token(id) | Owner::Account(id)) = owner;
        // Ids end in random bits.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// The bucket of a limit, made if there is none. A limit that was changed keeps what was taken.
    pub(crate) fn bucket(&self, owner: Owner, rule: &RateLimit, now: u64) -> Arc<Bucket> {
        let key = Key {
            owner,
            name: rule.name.clone(),
        };
        let rate = Rate::of(rule);
        let mut shard = self.shard(owner).lock();
        if let Some(bucket) = shard.buckets.get_mut(&key) {
            if bucket.rate != rate {
                *bucket = Arc::new(bucket.at_rate(rate, now));
            }
            bucket.hearsay.store(false, Ordering::Relaxed);
            return Arc::clone(bucket);
        }
        if shard.buckets.len() >= shard.sweep_at {
            self.sweep(&mut shard, now);
        }
        let bucket = Arc::new(Bucket::new(key.clone(), rate, 0));
        shard.buckets.insert(key, Arc::clone(&bucket));
        bucket
    }

    /// Takes over units that another of so many nodes has let through, also of a limit that nobody has
    /// asked about here yet. They delay what comes next by no more than all nodes could let through at
    /// once.
    pub(crate) fn take_over(&self, key: Key, rate: Rate, units: u64, (now, nodes): (u64, u32)) {
        let mut shard = self.shard(key.owner).lock();
        if let Some(bucket) = shard.buckets.get(&key) {
            let rate = bucket.rate;
            let bound = rate.tolerance().saturating_mul(nodes.into());
            bucket.take_over(rate.interval.saturating_mul(units), now, bound);
            return;
        }
        if shard.buckets.len() >= shard.sweep_at {
            self.sweep(&mut shard, now);
        }
        // Whoever may send messages must not push out what this node has let through itself.
        if shard.hearsay >= self.spare {
            self.forgotten.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let bucket = Bucket::new(key.clone(), rate, 0);
        let bound = rate.tolerance().saturating_mul(nodes.into());
        bucket.take_over(rate.interval.saturating_mul(units), now, bound);
        bucket.hearsay.store(true, Ordering::Relaxed);
        shard.hearsay += 1;
        shard.buckets.insert(key, Arc::new(bucket));
    }

    /// Looks through one shard, another one each time.
    pub(crate) fn tidy(&self, now: u64) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS;
        self.sweep(&mut self.shards[turn].lock(), now);
    }

    fn sweep(&self, shard: &mut Shard, now: u64) {
        // Nobody else can come to hold one meanwhile: that takes the shard's lock.
        let held = |bucket: &Arc<Bucket>| Arc::strong_count(bucket) > 1;
        shard
            .buckets
            .retain(|_, bucket| held(bucket) || bucket.arrival() > now);
        let hearsay = |bucket: &Arc<Bucket>| bucket.hearsay.load(Ordering::Relaxed);
        shard.hearsay = shard.buckets.values().filter(|it| hearsay(it)).count();
        let spare = shard.buckets.values();
        let spare = spare.filter(|bucket| !held(bucket) && !hearsay(bucket));
        let mut spare: Vec<(u64, Key)> = spare
            .map(|bucket| (bucket.arrival(), bucket.key.clone()))
            .collect();
        if let Some(surplus) = spare.len().checked_sub(self.spare).filter(|it| *it > 0) {
            spare.sort_unstable_by_key(|(arrival, _)| *arrival);
            for (_, key) in &spare[..surplus] {
                shard.buckets.remove(key);
            }
            self.forgotten.fetch_add(surplus as u64, Ordering::Relaxed);
        }
        shard.sweep_at = (2 * shard.buckets.len()).max(FIRST_SWEEP);
        if shard.buckets.capacity() > 4 * shard.sweep_at {
            shard.buckets.shrink_to(shard.sweep_at);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().buckets.len()).sum()
    }

    /// How many were forgotten that still had something to say.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }
}

impl Bucket {
    /// What it takes in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.key.name.len() + OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn rule(name: &str, limit: u32) -> RateLimit {
        RateLimit {
            name: name.into(),
            limit,
            window_seconds: 1,
            burst: limit,
            cost: 1,
        }
    }

    fn token(number: u128) -> Owner {
        // All in one shard.
        Owner::Token(Uuid::from_u128(number << 8))
    }

    #[test]
    fn a_bucket_is_found_again_by_owner_and_name() {
        let buckets = Buckets::new(5, 1_000);
        assert_eq!(
            (buckets.ticks(5), buckets.ticks(6), buckets.ticks(0)),
            (0, 64, 0)
        );
        let first = buckets.bucket(token(1), &rule("a", 10), 0);
        first.take(4 * first.rate.interval, 0).unwrap();
        let again = buckets.bucket(token(1), &rule("a", 10), 0);
        assert!(Arc::ptr_eq(&first, &again));
        for (owner, name) in [
            (token(1), "b"),
            (token(2), "a"),
            (Owner::Account(Uuid::from_u128(1 << 8)), "a"),
        ] {
            assert_eq!(buckets.bucket(owner, &rule(name, 10), 0).arrival(), 0);
        }
        let changed = buckets.bucket(token(1), &rule("a", 20), 0);
        assert_eq!(changed.debt(0), 4 * changed.rate.interval);
        let other = RateLimit {
            cost: 3,
            ..rule("a", 20)
        };
        let same = buckets.bucket(token(1), &other, 0);
        assert!(Arc::ptr_eq(&changed, &same), "the cost is no part of it");
    }

    #[test]
    fn what_has_passed_is_forgotten_and_what_is_held_is_not() {
        let buckets = Buckets::new(0, 1_000);
        let held = buckets.bucket(token(1), &rule("a", 1), 0);
        let gone = buckets.bucket(token(2), &rule("a", 1), 0);
        let interval = gone.rate.interval;
        gone.take(interval, 0).unwrap();
        drop(gone);
        for _ in 0..SHARDS {
            buckets.tidy(interval - 1);
        }
        assert_eq!(buckets.len(), 2);
        for _ in 0..SHARDS {
            buckets.tidy(interval);
        }
        assert_eq!((buckets.len(), buckets.forgotten()), (1, 0));
        assert!(Arc::ptr_eq(
            &held,
            &buckets.bucket(token(1), &rule("a", 1), 0)
        ));
    }

    #[test]
    fn what_other_nodes_tell_of_is_there_when_it_is_asked_about() {
        let buckets = Buckets::new(0, SHARDS * 10);
        let key = |number: u128| Key {
            owner: token(number),
            name: "a".into(),
        };
        let rate = Rate::of(&rule("a", 10));
        buckets.take_over(key(1), rate, 4, (0, 3));
        buckets.take_over(key(1), rate, 3, (0, 3));
        let bucket = buckets.bucket(token(1), &rule("a", 10), 0);
        assert_eq!(bucket.debt(0), 7 * rate.interval);
        buckets.take_over(key(1), rate, 1_000, (0, 3));
        assert_eq!(bucket.debt(0), 30 * rate.interval, "no more than all could");
        // The limit as it is here counts, and not as it is told of.
        let forged = Rate {
            interval: u64::MAX,
            burst: 1,
        };
        let other = buckets.bucket(token(2), &rule("a", 10), 0);
        buckets.take_over(key(2), forged, 2, (0, 3));
        assert_eq!(other.debt(0), 2 * rate.interval);

        // However many are told of, they push out nothing.
        let own = buckets.bucket(token(3), &rule("a", 10), 0);
        own.take(rate.interval, 0).unwrap();
        drop(own);
        for number in 100..1_100 {
            buckets.take_over(key(number), rate, 10, (0, 3));
        }
        assert!(buckets.len() <= 3 + 10, "{}", buckets.len());
        let kept = buckets.bucket(token(3), &rule("a", 10), 0);
        assert_eq!(kept.debt(0), rate.interval);
        assert!(buckets.forgotten() >= 990);
    }

    #[test]
    fn too_many_are_forgotten_from_the_one_that_is_nearly_new() {
        let buckets = Buckets::new(0, 10 * SHARDS);
        for number in 0..1_000_u32 {
            let bucket = buckets.bucket(token(number.into()), &rule("a", 10_000), 0);
            let units = u64::from((number * 7) % 1_000 + 1);
            bucket.take(units * bucket.rate.interval, 0).unwrap();
        }
        assert!(buckets.len() <= 2 * FIRST_SWEEP, "{}", buckets.len());
        for _ in 0..SHARDS {
            buckets.tidy(0);
        }
        assert_eq!((buckets.len(), buckets.forgotten()), (10, 990));
        let shard = buckets.shards[0].lock();
        let least = shard.buckets.values().map(|bucket| bucket.debt(0)).min();
        let interval = Rate::of(&rule("a", 10_000)).interval;
        drop(shard);
        assert!(least.unwrap() >= 900 * interval, "the fullest are kept");
    }
}
