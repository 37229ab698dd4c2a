//! The cap on endpoint templates: a token has at most [`CAP`] of them an hour in the rollups, the
//! rest counts under [`OTHER`]. So a client that invents paths grows nothing but its raw rows.
//!
//! Each ingestor keeps what it has admitted in memory and reads what was admitted before it began.
//! Two that meet the same new token at once may each admit their own: the cap is per ingestor.

//!
//! Templates are remembered by a hash, as a token may invent long ones. Two that share a hash within
//! one hour of one token would be one too many in the rollups, which is all.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use parking_lot::Mutex;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::hourly;

/// The most templates a token has in one hour.
const CAP: usize = 100;

/// Where the rest counts.
const OTHER: &str = "(other)";

/// How much is remembered; beyond it all is forgotten and read again. It is looked at between
/// transactions: the one under way may add what its token hours hold.
const REMEMBERED_BYTES: usize = 32 << 20;

/// What a token hour takes besides its templates: a place in the table, which is half empty at
/// worst, and an allocation.
const HOUR_BYTES: usize = 128;

/// A token and the start of an hour, in microseconds since the Unix epoch.
pub(crate) type TokenHour = (Uuid, i64);

/// The admitted templates of recent token hours.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// The hashes of an hour's templates, at most [`CAP`] of them but for what another ingestor
    /// admitted.
    admitted: HashMap<TokenHour, Vec<u64>>,
    templates: usize,
    hasher: RandomState,
}

impl Memory {
    /// An upper bound: a list has at most twice the room that it uses.
    fn bytes(&self) -> usize {
        self.admitted.len() * HOUR_BYTES + self.templates * 2 * size_of::<u64>()
    }

    fn forget(&mut self) {
        self.admitted = HashMap::new();
        self.templates = 0;
    }

    /// Takes over what the tables say of an hour.
    fn remember(&mut self, hour: TokenHour, templates: Vec<u64>) {
        self.templates += templates.len();
        if let Some(before) = self.admitted.insert(hour, templates) {
            self.templates -= before.len();
        }
    }

    /// Whether the template counts under its own name.
    fn admit(&mut self, hour: TokenHour, template: &str) -> bool {
        let hash = self.hasher.hash_one(template);
        let templates = self.admitted.entry(hour).or_default();
        if templates.contains(&hash) {
            return true;
        }
        if templates.len() >= CAP {
            return false;
        }
        templates.push(hash);
        self.templates += 1;
        true
    }
}

impl Endpoints {
    /// Makes sure the templates of these token hours are known.
    pub(crate) async fn load(
        &self,
        connection: &mut PgConnection,
        hours: HashSet<TokenHour>,
    ) -> Result<(), sqlx::Error> {
        let mut unknown: Vec<TokenHour> = {
            let mut memory = self.memory.lock();
            if memory.bytes() > REMEMBERED_BYTES {
                memory.forget();
            }
            hours
                .into_iter()
                .filter(|hour| !memory.admitted.contains_key(hour))
                .collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        unknown.sort_unstable();
        let mut found: HashMap<TokenHour, Vec<u64>> =
            unknown.iter().map(|hour| (*hour, Vec::new())).collect();
        let hasher = self.memory.lock().hasher.clone();
        hourly::endpoints(connection, &unknown, |hour, template| {
            if template != OTHER {
                found
                    .entry(hour)
                    .or_default()
                    .push(hasher.hash_one(template));
            }
        })
        .await?;
        let mut memory = self.memory.lock();
        for (hour, templates) in found {
            memory.remember(hour, templates);
        }
        Ok(())
    }

    /// The name under which `template` counts in this hour.
    pub(crate) fn admit<'a>(&self, hour: TokenHour, template: Cow<'a, str>) -> Cow<'a, str> {
        if self.memory.lock().admit(hour, &template) {
            template
        } else {
            Cow::Borrowed(OTHER)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundred_and_first_template_counts_under_other() {
        let endpoints = Endpoints::default();
        let hour = (Uuid::nil(), 0);
        for number in 0..CAP {
            let template = format!("/a{number}x");
            assert_eq!(endpoints.admit(hour, template.clone().into()), template);
        }
        assert_eq!(endpoints.admit(hour, "/new".into()), OTHER);
        assert_eq!(endpoints.admit(hour, "/a7x".into()), "/a7x");
        assert_eq!(
            endpoints.admit((Uuid::nil(), 3_600_000_000), "/new".into()),
            "/new"
        );
    }

    #[test]
    fn long_templates_take_no_more_memory_than_short_ones() {
        let endpoints = Endpoints::default();
        for number in 0..CAP {
            endpoints.admit((Uuid::nil(), 0), format!("/{number}").into());
            endpoints.admit(
                (Uuid::max(), 0),
                format!("/{number}{}", "x".repeat(500)).into(),
            );
        }
        let memory = endpoints.memory.lock();
        assert_eq!(memory.templates, 2 * CAP);
        let held: usize = memory.admitted.values().map(Vec::capacity).sum();
        assert!(held * size_of::<u64>() + 2 * HOUR_BYTES <= memory.bytes());
        assert!(memory.bytes() < 4 << 10);
    }
}
