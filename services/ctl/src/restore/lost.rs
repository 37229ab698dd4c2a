//! Which of the events that were told the log does not hold.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::PgPool;
use tollkeeper_event_store::{Head, head, known};
use uuid::Uuid;

use super::Error;
use super::told::{Telling, Told};

/// How many are looked for in the log at once.
const PAGE: usize = 1_000;

/// What became of the events that were told.
#[derive(Debug)]
pub(super) struct Lost {
    /// The end of the log as it is now.
    pub(super) head: Head,
    /// How many events were told.
    pub(super) told: usize,
    /// How many things were told that are no events.
    pub(super) unreadable: usize,
    /// Those that the log does not hold, in the order in which it once had them.
    pub(super) events: Vec<Told>,
    /// Positions that nothing was told of, from one to another: what stood there may be lost as well.
    pub(super) untold: Vec<(i64, i64)>,
}

impl Lost {
    /// Compares what was told with the log.
    pub(super) async fn read(pool: &PgPool, telling: Telling) -> Result<Self, Error> {
        let mut lost = Self {
            head: head(pool).await?,
            told: 0,
            unreadable: 0,
            events: Vec::new(),
            untold: Vec::new(),
        };
        let mut held = Vec::new();
        let mut pages = telling.try_chunks(PAGE);
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            let events: Vec<Told> = page.iter().flatten().cloned().collect();
            lost.told += events.len();
            lost.unreadable += page.len() - events.len();
            let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
            let known = known(pool, &ids).await?;
            for event in events {
                if known.contains(&event.event_id) {
                    held.push((event.position, event.recorded_at));
                } else {
                    lost.events.push(event);
                }
            }
        }
        // The log may have been restored more than once, and have told the same positions again.
        lost.events
            .sort_by_key(|event| (event.recorded_at, event.position));
        let mut seen = HashSet::new();
        lost.events.retain(|event| seen.insert(event.event_id));
        lost.untold = untold(&lost.events, &held);
        Ok(lost)
    }
}

/// What nothing was told of before the last of the lost events: after the last one before them that is
/// still there, and between them.
fn untold(lost: &[Told], held: &[(i64, DateTime<Utc>)]) -> Vec<(i64, i64)> {
    let Some(first) = lost.first() else {
        return Vec::new();
    };
    // What was appended since the log was restored stands at the same positions and was recorded later.
    let before = held
        .iter()
        .filter(|(position, at)| *position < first.position && *at <= first.recorded_at);
    let mut last = before.map(|(position, _)| *position).max().unwrap_or(0);
    let mut untold = Vec::new();
    let positions: BTreeSet<i64> = lost.iter().map(|event| event.position).collect();
    for position in positions {
        if position > last + 1 {
            untold.push((last + 1, position - 1));
        }
        last = last.max(position);
    }
    untold
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::restore::told::Kind;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn lost(positions: &[i64]) -> Vec<Told> {
        let told = positions.iter().map(|&position| Told {
            position,
            event_id: Uuid::from_u128(position.unsigned_abs().into()),
            stream_type: Kind::Token,
            stream_id: Uuid::nil(),
            account_id: Uuid::nil(),
            name: "TokenRevoked".to_owned(),
            payload: json!({}),
            actor: "operator:test".to_owned(),
            recorded_at: at(position),
        });
        told.collect()
    }

    #[test]
    fn what_nothing_is_told_of_is_named() {
        let held: Vec<_> = (1..=4).map(|position| (position, at(position))).collect();
        assert_eq!(untold(&lost(&[5, 6, 7]), &held), []);
        assert_eq!(untold(&lost(&[7, 8, 11]), &held), [(5, 6), (9, 10)]);
        assert_eq!(untold(&lost(&[7]), &[]), [(1, 6)]);
        assert_eq!(untold(&[], &held), []);
    }

    #[test]
    fn what_was_appended_since_is_not_taken_for_what_was_there_before() {
        let mut held: Vec<_> = (1..=4).map(|position| (position, at(position))).collect();
        held.extend((5..=9).map(|position| (position, at(100 + position))));
        assert_eq!(untold(&lost(&[7, 8]), &held), [(5, 6)]);
    }
}
