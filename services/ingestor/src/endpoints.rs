//! The cap on endpoint templates: a token has at most [`CAP`] of them an hour in the rollups, the
//! rest counts under [`OTHER`]. So a client that invents paths grows nothing but its raw rows.
//!
//! Each ingestor keeps what it has admitted in memory and reads what was admitted before it began.
//! Two that meet the same new token at once may each admit their own: the cap is per ingestor.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::hourly;

/// The most templates a token has in one hour.
const CAP: usize = 100;

/// Where the rest counts.
const OTHER: &str = "(other)";

/// How many token hours are remembered; beyond it all are forgotten and read again.
const REMEMBERED: usize = 50_000;

/// A token and the start of an hour, in microseconds since the Unix epoch.
pub(crate) type TokenHour = (Uuid, i64);

/// The admitted templates of recent token hours.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    admitted: Mutex<HashMap<TokenHour, HashSet<Box<str>>>>,
}

impl Endpoints {
    /// Makes sure the templates of these token hours are known.
    pub(crate) async fn load(
        &self,
        connection: &mut PgConnection,
        hours: HashSet<TokenHour>,
    ) -> Result<(), sqlx::Error> {
        let mut unknown: Vec<TokenHour> = {
            let mut admitted = self.admitted.lock();
            if admitted.len() > REMEMBERED {
                admitted.clear();
            }
            hours
                .into_iter()
                .filter(|hour| !admitted.contains_key(hour))
                .collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        unknown.sort_unstable();
        let found = hourly::endpoints(connection, &unknown).await?;
        let mut admitted = self.admitted.lock();
        for hour in unknown {
            admitted.entry(hour).or_default();
        }
        for (hour, endpoint) in found {
            if endpoint != OTHER {
                admitted.entry(hour).or_default().insert(endpoint.into());
            }
        }
        Ok(())
    }

    /// The name under which `template` counts in this hour.
    pub(crate) fn admit<'a>(&self, hour: TokenHour, template: Cow<'a, str>) -> Cow<'a, str> {
        let mut admitted = self.admitted.lock();
        let templates = admitted.entry(hour).or_default();
        if templates.contains(&*template) {
            return template;
        }
        if templates.len() >= CAP {
            return Cow::Borrowed(OTHER);
        }
        templates.insert(template.as_ref().into());
        template
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
}
