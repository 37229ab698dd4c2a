//! Tokens and changes that the first page tells of.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::console::api::Api;
use crate::console::usage::{Card, read};
use crate::console::words::Moment;

/// How far ahead is soon.
const SOON: TimeDelta = TimeDelta::days(30);

/// How many are shown of each kind.
const SHOWN: usize = 5;

/// How many that expire are counted.
const LOOKED_AT: usize = 200;

#[derive(Debug, Default, Serialize)]
struct Question {
    state: Option<&'static str>,
    outcome: Option<&'static str>,
    expires_after: Option<String>,
    expires_before: Option<String>,
    sort: Option<&'static str>,
    limit: usize,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Token {
    id: Uuid,
    name: String,
    token_prefix: String,
    state: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

/// A token of a list.
#[derive(Debug)]
pub(super) struct Newest {
    /// What people call it.
    pub(super) name: String,
    /// What people recognise it by.
    pub(super) prefix: String,
    /// Where its page is.
    pub(super) page: String,
    /// Its state.
    pub(super) state: String,
    /// When it was made, or when it expires.
    pub(super) moment: Moment,
}

/// Tokens that expire soon.
#[derive(Debug)]
pub(super) struct Expiring {
    /// Those that do so first.
    pub(super) first: Vec<Newest>,
    /// How many do.
    pub(super) count: usize,
    /// Whether there are more than were counted.
    pub(super) is_cut: bool,
}

impl Token {
    fn told(self, at: DateTime<Utc>, now: DateTime<Utc>) -> Newest {
        Newest {
            name: self.name,
            prefix: self.token_prefix,
            page: format!("/console/tokens/{}", self.id),
            state: self.state,
            moment: Moment { at, now },
        }
    }
}

/// The tokens that expire within 30 days.
pub(super) async fn expiring(api: &Api, now: DateTime<Utc>) -> Card<Expiring> {
    let time = |at: DateTime<Utc>| Some(at.to_rfc3339_opts(SecondsFormat::Micros, true));
    let question = Question {
        state: Some("active"),
        expires_after: time(now),
        expires_before: time(now + SOON),
        sort: Some("expires_at"),
        limit: LOOKED_AT,
        ..Question::default()
    };
    let page: Page<Token> = read(api, "/v1/tokens", &question).await?;
    let tokens = page.items;
    let count = tokens.len();
    let told = |token: Token| {
        let at = token.expires_at?;
        Some(token.told(at, now))
    };
    Ok(Expiring {
        first: tokens.into_iter().filter_map(told).take(SHOWN).collect(),
        count,
        is_cut: page.next_cursor.is_some(),
    })
}

/// The tokens that were made last.
pub(super) async fn newest(api: &Api, now: DateTime<Utc>) -> Card<Vec<Newest>> {
    let question = Question {
        limit: SHOWN,
        ..Question::default()
    };
    let page: Page<Token> = read(api, "/v1/tokens", &question).await?;
    let told = |token: Token| {
        let at = token.created_at;
        token.told(at, now)
    };
    Ok(page.items.into_iter().map(told).collect())
}

#[derive(Debug, Deserialize)]
struct Entry {
    at: DateTime<Utc>,
    action: Option<String>,
    actor: Option<String>,
    subject_type: Option<String>,
    subject_id: Option<Uuid>,
}

/// Something that was done.
#[derive(Debug)]
pub(super) struct Change {
    /// What.
    pub(super) what: String,
    /// By whom, in words.
    pub(super) who: String,
    /// Where what it was done to is shown.
    pub(super) page: Option<String>,
    /// When.
    pub(super) moment: Moment,
}

/// What was done last.
pub(super) async fn changes(api: &Api, now: DateTime<Utc>) -> Card<Vec<Change>> {
    let question = Question {
        outcome: Some("allowed"),
        limit: SHOWN,
        ..Question::default()
    };
    let page: Page<Entry> = read(api, "/v1/audit", &question).await?;
    let told = |entry: Entry| Change {
        what: words(entry.action.as_deref().unwrap_or("Something")),
        who: who(entry.actor.as_deref()),
        page: match (entry.subject_type.as_deref(), entry.subject_id) {
            (Some("token"), Some(id)) => Some(format!("/console/tokens/{id}")),
            _ => None,
        },
        moment: Moment { at: entry.at, now },
    };
    Ok(page.items.into_iter().map(told).collect())
}

/// The name of an action, as words: `TokenScopesChanged` is `Token scopes changed`.
fn words(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
            text.extend(letter.to_lowercase());
        } else {
            text.push(letter);
        }
    }
    text
}

fn who(actor: Option<&str>) -> String {
    match actor.and_then(|actor| actor.split_once(':')) {
        Some(("operator", name)) => name.to_owned(),
        Some(("account", _)) => "an account's holder".to_owned(),
        Some(("token", _)) => "a token".to_owned(),
        Some(("system", _)) => "Tollkeeper".to_owned(),
        Some((kind, name)) => format!("{kind} {name}"),
        None => "somebody unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_actors_are_told_in_words() {
        assert_eq!(words("TokenScopesChanged"), "Token scopes changed");
        assert_eq!(words("Something"), "Something");
        assert_eq!(who(Some("operator:ada@example.org")), "ada@example.org");
        assert_eq!(who(Some("system:expiries")), "Tollkeeper");
        assert_eq!(who(None), "somebody unknown");
    }
}
