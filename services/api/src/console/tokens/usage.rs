//! What a token was used for, on its own page.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::token;
use crate::console::api::Api;
use crate::console::chart::{Chart, requests_by_status};
use crate::console::stop::Stop;
use crate::console::words::Moment;

/// How far back the page looks.
const DAYS: i64 = 30;

/// What is known of a token's use. What cannot be told now is left out: the page has more to show.
#[derive(Debug, Default)]
pub(super) struct Use {
    /// The last days; none where they cannot be told.
    pub(super) chart: Option<Chart>,
    /// The newest single request that is kept.
    pub(super) latest: Option<Latest>,
}

/// A single request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Latest {
    timestamp: DateTime<Utc>,
    pub(super) method: String,
    pub(super) endpoint: String,
    pub(super) status: u16,
    pub(super) verdict: String,
    pub(super) ip: Option<String>,
    pub(super) user_agent: String,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Latest {
    pub(super) const fn moment(&self) -> Moment {
        Moment {
            at: self.timestamp,
            now: self.now,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Requests {
    items: Vec<Latest>,
}

#[derive(Debug, Serialize)]
struct Asked {
    from: String,
    bucket: &'static str,
    group_by: &'static str,
}

#[derive(Debug, Serialize)]
struct One {
    limit: u32,
}

/// What a token was used for.
pub(super) async fn read(api: &Api, id: Uuid, now: DateTime<Utc>) -> Use {
    let (chart, latest) = tokio::join!(chart(api, id, now), latest(api, id, now));
    Use {
        chart: chart.ok(),
        latest: latest.ok().flatten(),
    }
}

async fn chart(api: &Api, id: Uuid, now: DateTime<Utc>) -> Result<Chart, Stop> {
    let from = now - TimeDelta::days(DAYS);
    let asked = Asked {
        from: from.to_rfc3339_opts(SecondsFormat::Secs, true),
        bucket: "day",
        group_by: "status_class",
    };
    let path = format!("{}/usage", token::path(id));
    Ok(requests_by_status(&api.get(&path, &asked).await?))
}

async fn latest(api: &Api, id: Uuid, now: DateTime<Utc>) -> Result<Option<Latest>, Stop> {
    let path = format!("{}/usage/requests", token::path(id));
    let requests: Requests = api.get(&path, &One { limit: 1 }).await?;
    let first = requests.items.into_iter().next();
    Ok(first.map(|latest| Latest { now, ..latest }))
}
