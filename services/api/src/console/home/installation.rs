//! How the installation does, in short, for operators.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::console::api::Api;
use crate::console::usage::{Card, read};
use crate::console::words::{Moment, span};

/// When usage comes so late that it is worth a look.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// How many dead letters are counted.
const COUNTED: usize = 100;

#[derive(Debug, Serialize)]
struct Limit {
    limit: usize,
}

/// What operators look after.
#[derive(Debug)]
pub(super) struct Installation {
    /// The nodes that verify.
    pub(super) nodes: Card<Nodes>,
    /// The way of usage to the tables.
    pub(super) pipeline: Card<Pipeline>,
    /// Usage that could not be counted.
    pub(super) dead_letters: Card<Letters>,
}

/// How many nodes there are.
#[derive(Debug)]
pub(super) struct Nodes {
    /// How many answer.
    pub(super) live: usize,
    /// How many have not been heard of for too long.
    pub(super) stale: usize,
}

/// How far usage has come.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Everything answered before is settled.
    pub(super) through: Moment,
    /// How long ago that is.
    pub(super) lag: String,
    /// Whether that is worth a look.
    pub(super) is_late: bool,
}

/// How many dead letters there are.
#[derive(Debug)]
pub(super) struct Letters {
    /// As far as they were counted.
    pub(super) count: usize,
    /// Whether there are more.
    pub(super) is_cut: bool,
}

#[derive(Debug, Deserialize)]
struct NodeList {
    items: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    may_answer: bool,
}

#[derive(Debug, Deserialize)]
struct Completeness {
    complete_through: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct LetterList {
    items: Vec<serde::de::IgnoredAny>,
    next_cursor: Option<String>,
}

/// Reads it.
pub(super) async fn read_all(api: &Api, now: DateTime<Utc>) -> Installation {
    let (nodes, pipeline, letters) = tokio::join!(
        read::<NodeList>(api, "/v1/nodes", &()),
        read::<Completeness>(api, "/v1/usage/completeness", &Limit { limit: 1 }),
        read::<LetterList>(api, "/v1/dead-letters", &Limit { limit: COUNTED }),
    );
    Installation {
        nodes: nodes.map(|nodes| {
            let live = nodes.items.iter().filter(|node| node.may_answer).count();
            Nodes {
                live,
                stale: nodes.items.len() - live,
            }
        }),
        pipeline: pipeline.map(|told| {
            let lag = (now - told.complete_through).max(TimeDelta::zero());
            Pipeline {
                through: Moment {
                    at: told.complete_through,
                    now,
                },
                lag: span(lag),
                is_late: lag > LATE,
            }
        }),
        dead_letters: letters.map(|letters| Letters {
            count: letters.items.len(),
            is_cut: letters.next_cursor.is_some(),
        }),
    }
}
