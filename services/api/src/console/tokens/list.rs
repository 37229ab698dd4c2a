//! `GET /console/tokens`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::choice::{Choice, choices};
use super::filter::{self, Asked, Filter};
use super::is_shown_above;
use super::order::{Heading, headings, words};
use super::token::{Seen, Token};
use crate::console::Console;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::url;
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, page_with};
use crate::http::query::Parameters;

/// How many tokens a page shows.
const PER_PAGE: u32 = 50;

/// How many pages one can go back by, and how long their cursors may be together: an address has its limits.
const MOST_BACK: usize = 40;
const LONGEST_TRAIL: usize = 2000;

const STATES: [(&str, &str); 5] = [
    ("", "Any"),
    ("active", "active"),
    ("suspended", "suspended"),
    ("expired", "expired"),
    ("revoked", "revoked"),
];

const ENVIRONMENTS: [(&str, &str); 3] = [("", "Any"), ("live", "live"), ("test", "test")];

const EXPIRING: [(&str, &str); 4] = [
    ("", "Any time"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
];

const UNUSED: [(&str, &str); 5] = [
    ("", "Any"),
    ("never", "Never used"),
    ("30d", "Not for 30 days"),
    ("90d", "Not for 90 days"),
    ("180d", "Not for 180 days"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    #[serde(flatten)]
    filter: Filter,
    /// By what the list is sorted, as the management API says it; from the newest on if it is empty.
    sort: String,
    /// Where the page begins; the first page if it is empty.
    cursor: String,
    /// The cursors of the pages before, but for the first, with commas between.
    trail: String,
}

#[derive(Debug, Serialize)]
struct PageOf<'a> {
    #[serde(flatten)]
    asked: Asked<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sort: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cursor: &'a str,
    limit: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    items: Vec<Token>,
    next_cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "console/tokens/list.html")]
struct Page {
    frame: Frame,
    filter: Filter,
    /// By what the list is sorted, if not from the newest on.
    sort: String,
    /// The same in words.
    order: &'static str,
    /// The columns that it can be sorted by.
    headings: [Heading; 4],
    rows: Vec<Seen>,
    states: Vec<Choice>,
    environments: Vec<Choice>,
    expiring: Vec<Choice>,
    unused: Vec<Choice>,
    is_operator: bool,
    /// Whether what was asked for could not be read.
    is_refused: bool,
    is_first: bool,
    /// Where a token is issued, to the account that is asked for.
    issue: String,
    /// Where the page before is, if one can go back.
    previous: Option<String>,
    /// Where the list goes on.
    next: Option<String>,
    /// Where the same tokens are revoked together.
    bulk: String,
}

/// A page of tokens.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let now = console.app.now();
    let mut frame = Frame::new(&signed_in, Place::Tokens, "Tokens");
    let mut status = StatusCode::OK;
    let answer = if query.filter.is_readable() {
        read(&signed_in, &query, now).await
    } else {
        status = StatusCode::BAD_REQUEST;
        Ok(Answer::default())
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            status = refused.status();
            frame = frame.saying(Tone::Bad, refused.detail);
            Answer::default()
        }
        Err(stop) => return Err(stop),
    };
    let rows = answer.items.into_iter();
    let page = Page {
        rows: rows.map(|token| Seen { token, now }).collect(),
        states: choices(&STATES, query.filter.state.trim()),
        environments: choices(&ENVIRONMENTS, query.filter.environment.trim()),
        expiring: choices(&EXPIRING, query.filter.expiring.trim()),
        unused: choices(&UNUSED, query.filter.unused.trim()),
        order: words(query.sort()),
        headings: headings(query.sort(), |sort| query.sorted_by(sort)),
        issue: query.issue(),
        is_operator: signed_in.person.role == Role::Operator,
        is_refused: status != StatusCode::OK,
        is_first: query.cursor.is_empty(),
        previous: query.previous(),
        next: answer.next_cursor.map(|cursor| query.next(&cursor)),
        bulk: query.address("/console/tokens/bulk", "", ""),
        sort: query.sort().to_owned(),
        filter: query.filter,
        frame,
    };
    page_with(status, &page)
}

async fn read(
    signed_in: &SignedIn,
    query: &Query,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Answer, Stop> {
    let account = match signed_in.person.role {
        Role::Operator => filter::account(&signed_in.api, &query.filter.account).await?,
        Role::User(_) => Ok(None),
    };
    // An account that nobody knows has no tokens.
    let Ok(account) = account else {
        return Ok(Answer::default());
    };
    let asked = PageOf {
        asked: query.filter.asked(account, now),
        sort: query.sort(),
        cursor: &query.cursor,
        limit: PER_PAGE,
    };
    signed_in.api.get("/v1/tokens", &asked).await
}

impl Query {
    fn sort(&self) -> &str {
        self.sort.trim()
    }

    /// Where the first page of the same tokens is, in this order.
    fn sorted_by(&self, sort: &str) -> String {
        self.ordered("/console/tokens", sort, "", "")
    }

    /// Where the page with this cursor is.
    fn address(&self, path: &str, cursor: &str, trail: &str) -> String {
        self.ordered(path, self.sort(), cursor, trail)
    }

    fn ordered(&self, path: &str, sort: &str, cursor: &str, trail: &str) -> String {
        fn given(text: &str) -> Option<&str> {
            Some(text).filter(|text| !text.is_empty())
        }
        let filters = self.filter.pairs().map(|(name, value)| (name, Some(value)));
        let place = [
            ("sort", given(sort)),
            ("cursor", given(cursor)),
            ("trail", given(trail)),
        ];
        let parts: Vec<_> = filters.chain(place).collect();
        url(path, &parts)
    }

    /// Where a token is issued, to the account that is asked for.
    fn issue(&self) -> String {
        let account = Some(self.filter.account.trim()).filter(|it| !it.is_empty());
        url("/console/tokens/new", &[("account", account)])
    }

    fn trail(&self) -> Vec<&str> {
        let cursors = self.trail.split(',');
        cursors.filter(|cursor| !cursor.is_empty()).collect()
    }

    fn next(&self, cursor: &str) -> String {
        let mut trail = self.trail();
        if !self.cursor.is_empty() {
            trail.push(&self.cursor);
        }
        let mut trail = &trail[trail.len().saturating_sub(MOST_BACK)..];
        while let [_, rest @ ..] = trail
            && trail.iter().map(|cursor| cursor.len() + 1).sum::<usize>() > LONGEST_TRAIL
        {
            trail = rest;
        }
        self.address("/console/tokens", cursor, &trail.join(","))
    }

    fn previous(&self) -> Option<String> {
        if self.cursor.is_empty() {
            return None;
        }
        let mut trail = self.trail();
        let before = trail.pop().unwrap_or_default();
        Some(self.address("/console/tokens", before, &trail.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cursor: &str, trail: &str) -> Query {
        Query {
            cursor: cursor.to_owned(),
            trail: trail.to_owned(),
            ..Query::default()
        }
    }

    #[test]
    fn pages_lead_to_the_next_and_back() {
        let list = "/console/tokens";
        assert_eq!(at("", "").next("a"), format!("{list}?cursor=a"));
        assert_eq!(at("", "").previous(), None);
        assert_eq!(at("a", "").next("b"), format!("{list}?cursor=b&trail=a"));
        assert_eq!(at("a", "").previous(), Some(list.to_owned()));
        let back = at("b", "a").previous();
        assert_eq!(back, Some(format!("{list}?cursor=a")));
        let back = at("c", "a,b").previous();
        assert_eq!(back, Some(format!("{list}?cursor=b&trail=a")));
    }

    #[test]
    fn an_address_holds_what_is_asked_for() {
        let query = Query {
            filter: Filter {
                search: "a&b".to_owned(),
                ..Filter::default()
            },
            sort: "name".to_owned(),
            cursor: "w".to_owned(),
            ..Query::default()
        };
        assert_eq!(
            query.next("x"),
            "/console/tokens?search=a%26b&sort=name&cursor=x&trail=w"
        );
        // Another order begins at its first page.
        assert_eq!(
            query.sorted_by("-name"),
            "/console/tokens?search=a%26b&sort=-name"
        );
    }

    #[test]
    fn no_address_grows_for_ever() {
        let mut query = at("", "");
        for page in 0..100 {
            let next = query.next(&format!("c{page}"));
            let (_, trail) = next.split_once("trail=").unwrap_or_default();
            query = at(&format!("c{page}"), &trail.replace("%2C", ","));
        }
        assert_eq!(query.trail().len(), MOST_BACK);
        let long = ["x".repeat(560), "y".repeat(560), "z".repeat(560)];
        let next = at(&"w".repeat(560), &long.join(",")).next("next");
        let (_, trail) = next.split_once("trail=").unwrap_or_default();
        assert!(trail.starts_with('y') && trail.ends_with('w'), "{trail}");
    }
}
