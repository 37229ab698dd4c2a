//! The two bounded caches: known tokens by weight, unknown digests by number.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, UnitWeighter, Weighter};
use tollkeeper_domain::secret::SecretHash;

use crate::entry::TokenEntry;

/// Typical bytes of an entry, from which the cache sizes its shards.
pub(crate) const TYPICAL_ENTRY_BYTES: u64 = 700;

/// Share of the entry count that is remembered after eviction. Each costs a slot.
const GHOSTS: f64 = 0.1;

#[derive(Debug, Clone, Copy)]
pub(crate) struct ByBytes;

impl Weighter<SecretHash, Arc<TokenEntry>> for ByBytes {
    fn weight(&self, _: &SecretHash, entry: &Arc<TokenEntry>) -> u64 {
        entry.weight()
    }
}

/// Hands evicted entries to whoever inserted, so that the index loses them too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evictions;

impl Lifecycle<SecretHash, Arc<TokenEntry>> for Evictions {
    type RequestState = Vec<Arc<TokenEntry>>;

    fn on_evict(&self, gone: &mut Self::RequestState, _: SecretHash, entry: Arc<TokenEntry>) {
        gone.push(entry);
    }
}

/// Known tokens by digest.
pub(crate) type Known = Cache<SecretHash, Arc<TokenEntry>, ByBytes, DefaultHashBuilder, Evictions>;

/// Digests that were looked up and belong to no token.
pub(crate) type Unknown = Cache<SecretHash, ()>;

pub(crate) fn known(bytes: u64) -> Known {
    let items = usize::try_from(bytes / TYPICAL_ENTRY_BYTES).unwrap_or(usize::MAX);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(items.max(1))
        .weight_capacity(bytes)
        .ghost_allocation(GHOSTS)
        .build()
        .expect("both capacities are set");
    Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), Evictions)
}

pub(crate) fn unknown(entries: usize) -> Unknown {
    Cache::with_weighter(entries, entries as u64, UnitWeighter)
}
