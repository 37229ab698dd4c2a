//! All balances of a node: apart from the cache of tokens, because a token that is evicted and read
//! again must not find what went through here and is not counted yet untouched.
//!
//! Looked at only where a token is read and in the background; a hit holds its balances already.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tollkeeper_domain::quota::Quota;

use super::balance::{Balance, Key};
use crate::limits::bucket::Owner;

const SHARDS: usize = 64;

/// Balances in a shard before it is first looked through.
const FIRST_SWEEP: usize = 64;

/// The most balances of a shard that wait to be read again.
const MOST_WAITING: usize = 4_096;

/// What the map takes for a balance beside the balance itself, and what the allocator adds.
const OVERHEAD_BYTES: usize = 80;

/// The balances, in shards by their owner.
///
/// Those that a token in memory holds are part of what the token weighs in its cache. Of the others,
/// one whose uses the primary has counted is forgotten, for it can be read again. Of those that it has
/// yet to count, only so many are kept: beyond it, the ones go first that have the least uncounted,
/// each of which is counted here.
#[derive(Debug)]
pub(crate) struct Balances {
    shards: Box<[Shard]>,
    /// The most balances of a shard that no token in memory holds.
    spare: usize,
    /// The shard to be looked through next.
    turn: AtomicUsize,
    forgotten: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    kept: Mutex<Kept>,
    /// To be read again. Room is made in the background, so that a hit allocates nothing.
    waiting: Mutex<Vec<Arc<Balance>>>,
}

#[derive(Debug)]
struct Kept {
    balances: HashMap<Key, Arc<Balance>>,
    sweep_at: usize,
}

impl Balances {
    /// No balances. `spare` is how many are kept that no token in memory holds.
    pub(crate) fn new(spare: usize) -> Self {
        let shard = || Shard {
            kept: Mutex::new(Kept {
                balances: HashMap::new(),
                sweep_at: FIRST_SWEEP,
            }),
            waiting: Mutex::default(),
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            spare: spare.div_ceil(SHARDS),
            turn: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    fn shard(&self, owner: Owner) -> &Shard {
        let (Owner::Token(id) | Owner::Account(id)) = owner;
        // Ids end in random bits.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// The balance of a quota, made if there is none.
    pub(crate) fn balance(&self, owner: Owner, rule: &Quota, now_micros: i64) -> Arc<Balance> {
        let key = Key {
            owner,
            generation: rule.generation,
        };
        let shard = self.shard(owner);
        let mut kept = shard.kept.lock();
        if let Some(balance) = kept.balances.get(&key) {
            return Arc::clone(balance);
        }
        if kept.balances.len() >= kept.sweep_at {
            self.sweep(&mut kept, now_micros);
        }
        let balance = Arc::new(Balance::new(key, rule.refill));
        kept.balances.insert(key, Arc::clone(&balance));
        drop(kept);
        make_room(&mut shard.waiting.lock());
        balance
    }

    /// Has a balance read again soon. Where somebody else is at the list, or it is full, the next
    /// request of the balance asks again: nobody waits here.
    pub(crate) fn touch(&self, balance: &Arc<Balance>) {
        if balance.is_touched() {
            return;
        }
        let Some(mut waiting) = self.shard(balance.key.owner).waiting.try_lock() else {
            return;
        };
        if waiting.len() < waiting.capacity() {
            waiting.push(Arc::clone(balance));
            balance.set_touched(true);
        }
    }

    /// Takes the balances that are to be read again. Whatever touches them from now on has them read
    /// once more.
    pub(crate) fn take_touched(&self) -> Vec<Arc<Balance>> {
        let mut touched = Vec::new();
        for shard in &*self.shards {
            touched.append(&mut shard.waiting.lock());
        }
        for balance in &touched {
            balance.set_touched(false);
        }
        touched
    }

    /// Looks through one shard, another one each time, and has those read again of which it is not
    /// known that they are counted.
    pub(crate) fn tidy(&self, now_micros: i64) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut kept = self.shards[turn].kept.lock();
        self.sweep(&mut kept, now_micros);
        let uncounted = kept.balances.values();
        let uncounted = uncounted.filter(|it| it.uncounted(it.turn(now_micros)) > 0);
        uncounted.for_each(|balance| self.touch(balance));
    }

    fn sweep(&self, kept: &mut Kept, now_micros: i64) {
        // Nobody else can come to hold one meanwhile: that takes the shard's lock.
        let held = |balance: &Arc<Balance>| Arc::strong_count(balance) > 1;
        let uncounted = |balance: &Arc<Balance>| balance.uncounted(balance.turn(now_micros));
        kept.balances
            .retain(|_, balance| held(balance) || uncounted(balance) > 0);
        let spare = kept.balances.values().filter(|balance| !held(balance));
        let mut spare: Vec<(u64, Key)> = spare
            .map(|balance| (uncounted(balance), balance.key))
            .collect();
        if let Some(surplus) = spare.len().checked_sub(self.spare).filter(|it| *it > 0) {
            spare.sort_unstable();
            for (_, key) in &spare[..surplus] {
                kept.balances.remove(key);
            }
            self.forgotten.fetch_add(surplus as u64, Ordering::Relaxed);
        }
        kept.sweep_at = (2 * kept.balances.len()).max(FIRST_SWEEP);
        if kept.balances.capacity() > 4 * kept.sweep_at {
            kept.balances.shrink_to(kept.sweep_at);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.kept.lock().balances.len()).sum()
    }

    /// How many were forgotten of which something was not counted.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }
}

fn make_room(waiting: &mut Vec<Arc<Balance>>) {
    if waiting.capacity() < MOST_WAITING {
        waiting.reserve_exact(MOST_WAITING - waiting.len());
    }
}

impl Balance {
    /// What one takes in memory.
    pub(crate) const BYTES: usize = size_of::<Self>() + OVERHEAD_BYTES;
}

#[cfg(test)]
mod tests;
