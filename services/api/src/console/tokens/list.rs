//! `GET /console/tokens`

use std::cmp::Reverse;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::choice::{Choice, choices};
use super::filter::{self, Asked, Filter};
use super::is_shown_above;
use super::token::{Seen, Token};
use crate::console::Console;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::url;
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, page_with};
use crate::http::query::Parameters;

/// How many tokens a page shows.
const PER_PAGE: u32 = 50;

/// How many pages one can go back by: an address has its limits.
const MOST_BACK: usize = 40;

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

const UNUSED: [(&str, &str); 4] = [
    ("", "Any time"),
    ("30d", "30 days ago or longer"),
    ("90d", "90 days ago or longer"),
    ("180d", "180 days ago or longer"),
];

const SORTS: [(&str, &str); 5] = [
    ("newest", "Newest first"),
    ("name", "Name"),
    ("expires", "Expiry"),
    ("used", "Last used"),
    ("requests", "Requests"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    #[serde(flatten)]
    filter: Filter,
    /// By what the rows of a page are sorted.
    sort: Sort,
    /// Where the page begins; the first page if it is empty.
    cursor: String,
    /// The cursors of the pages before, but for the first, with commas between.
    trail: String,
}

/// By what the rows of one page are sorted. Pages follow each other from the newest token to the oldest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    #[serde(alias = "")]
    Newest,
    Name,
    Expires,
    Used,
    Requests,
}

impl Sort {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Name => "name",
            Self::Expires => "expires",
            Self::Used => "used",
            Self::Requests => "requests",
        }
    }

    fn sort(self, rows: &mut [Seen]) {
        match self {
            // As they come.
            Self::Newest => {}
            Self::Name => rows.sort_by_cached_key(|row| row.token.name.to_lowercase()),
            // What never expires comes last.
            Self::Expires => {
                rows.sort_by_key(|row| (row.token.expires_at.is_none(), row.token.expires_at));
            }
            Self::Used => rows.sort_by_key(|row| Reverse(row.token.last_used_at)),
            Self::Requests => rows.sort_by_key(|row| Reverse(row.token.usage_count)),
        }
    }
}

#[derive(Debug, Serialize)]
struct PageOf<'a> {
    #[serde(flatten)]
    asked: Asked<'a>,
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
    sort: Sort,
    rows: Vec<Seen>,
    states: Vec<Choice>,
    environments: Vec<Choice>,
    expiring: Vec<Choice>,
    unused: Vec<Choice>,
    sorts: Vec<Choice>,
    is_operator: bool,
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
    let answer = match read(&signed_in, &query, now).await {
        Ok(answer) => answer,
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            status = refused.status();
            frame = frame.saying(Tone::Bad, refused.detail);
            Answer::default()
        }
        Err(stop) => return Err(stop),
    };
    let mut rows: Vec<Seen> = answer
        .items
        .into_iter()
        .map(|token| Seen { token, now })
        .collect();
    query.sort.sort(&mut rows);
    let page = Page {
        rows,
        states: choices(&STATES, query.filter.state.trim()),
        environments: choices(&ENVIRONMENTS, query.filter.environment.trim()),
        expiring: choices(&EXPIRING, query.filter.expiring.trim()),
        unused: choices(&UNUSED, query.filter.unused.trim()),
        sorts: choices(&SORTS, query.sort.as_str()),
        issue: query.issue(),
        is_operator: signed_in.person.role == Role::Operator,
        is_first: query.cursor.is_empty(),
        previous: query.previous(),
        next: answer.next_cursor.map(|cursor| query.next(&cursor)),
        bulk: query.address("/console/tokens/bulk", "", ""),
        filter: query.filter,
        sort: query.sort,
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
        cursor: &query.cursor,
        limit: PER_PAGE,
    };
    signed_in.api.get("/v1/tokens", &asked).await
}

impl Query {
    /// Where the page with this cursor is.
    fn address(&self, path: &str, cursor: &str, trail: &str) -> String {
        fn given(text: &str) -> Option<&str> {
            Some(text).filter(|text| !text.is_empty())
        }
        let sort = Some(self.sort.as_str()).filter(|_| self.sort != Sort::Newest);
        let filters = self.filter.pairs().map(|(name, value)| (name, Some(value)));
        let place = [
            ("sort", sort),
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
        let known = trail.len().saturating_sub(MOST_BACK);
        self.address("/console/tokens", cursor, &trail[known..].join(","))
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
            sort: Sort::Name,
            ..Query::default()
        };
        assert_eq!(
            query.next("x"),
            "/console/tokens?search=a%26b&sort=name&cursor=x"
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
    }
}
