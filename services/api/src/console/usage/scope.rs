//! What a page about usage is about: how long a time, whose tokens, which requests. All of it is in the URL.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::window::{Window, machine};
use crate::console::chart::Width;
use crate::console::query::{given, url};

/// Where the page is.
pub(super) const PATH: &str = "/console/usage";

/// The query string of the page and of its export.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Query {
    range: Option<String>,
    from: Option<String>,
    to: Option<String>,
    account_id: Option<String>,
    token_id: Option<String>,
    endpoint: Option<String>,
    method: Option<String>,
    status_class: Option<String>,
    live: Option<String>,
    /// Whether single requests are counted where that takes a while.
    singly: Option<String>,
    /// Of an export: what.
    pub(super) what: Option<String>,
    /// Of an export: how it is written.
    pub(super) format: Option<String>,
}

/// The times that there are, by their name in the URL: columns of so many steps together, and how many.
const RANGES: [(&str, &str, Width, usize, i32); 6] = [
    ("1h", "1 hour", Width::Minute, 1, 60),
    ("6h", "6 hours", Width::Minute, 5, 72),
    ("24h", "24 hours", Width::Hour, 1, 24),
    ("7d", "7 days", Width::Hour, 1, 168),
    ("30d", "30 days", Width::Day, 1, 30),
    ("90d", "90 days", Width::Day, 1, 90),
];

/// What is shown if nobody says.
const USUAL: &str = "24h";

/// How many single requests are read at once, as that holds nobody up.
const FEW: u64 = 50_000;

/// How many minutes are followed as they come.
const LIVE: i32 = 15;

/// How much time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// One of the usual ones, up to now.
    Last(&'static str),
    /// From one moment to another.
    Own,
    /// The last minutes, over and over.
    Live,
}

/// What a page about usage is about.
#[derive(Debug)]
pub(super) struct Scope {
    /// How much time.
    pub(super) range: Range,
    /// Its steps.
    pub(super) window: Window,
    query: Query,
    complaints: Vec<(&'static str, &'static str)>,
}

/// A filter that is set.
#[derive(Debug)]
pub(super) struct Set<'a> {
    /// What it is called.
    pub(super) name: &'static str,
    /// What must hold.
    pub(super) value: &'a str,
    /// The page without it.
    pub(super) without: String,
}

/// A question to `GET /v1/usage`.
#[derive(Debug, Serialize)]
pub(super) struct Question<'a> {
    account_id: Option<&'a str>,
    token_id: Option<&'a str>,
    from: String,
    to: String,
    bucket: &'static str,
    group_by: Option<&'static str>,
    limit: Option<u8>,
    endpoint: Option<&'a str>,
    method: Option<&'a str>,
    status_class: Option<&'a str>,
    /// How the answer is written.
    pub(super) format: Option<&'a str>,
}

impl Scope {
    /// What is asked for at this moment.
    pub(super) fn read(query: Query, now: DateTime<Utc>) -> Self {
        let mut complaints = Vec::new();
        for (name, text) in [
            ("account_id", &query.account_id),
            ("token_id", &query.token_id),
        ] {
            if given(text.as_ref()).is_some_and(|text| Uuid::parse_str(text).is_err()) {
                complaints.push((name, "This is not an id."));
            }
        }
        let mut time = |name, text: &Option<String>| {
            let text = given(text.as_ref())?;
            let read = moment(text);
            if read.is_none() {
                complaints.push((name, "This is not a time."));
            }
            read
        };
        let (from, to) = (time("from", &query.from), time("to", &query.to));
        let (range, window) = if given(query.live.as_ref()).is_some() {
            (Range::Live, Window::ending(now, Width::Minute, 1, LIVE))
        } else if from.is_some() || to.is_some() {
            let to = to.unwrap_or(now).min(now);
            let from = from.unwrap_or(to - Width::Day.span());
            if from >= to {
                complaints.push(("from", "This must lie before the end, and in the past."));
            }
            (
                Range::Own,
                Window::between(from.min(to - Width::Minute.span()), to),
            )
        } else {
            last(given(query.range.as_ref()), now)
        };
        Self {
            range,
            window,
            query,
            complaints,
        }
    }

    /// Whether something cannot be asked.
    pub(super) fn is_refused(&self) -> bool {
        !self.complaints.is_empty()
    }

    /// What is wrong with a field.
    pub(super) fn complaint(&self, field: &str) -> Vec<&'static str> {
        let about = self.complaints.iter().filter(|(name, _)| *name == field);
        about.map(|(_, text)| *text).collect()
    }

    /// Notes what the API says of a field.
    pub(super) fn complain(&mut self, field: &'static str, text: &'static str) {
        self.complaints.push((field, text));
    }

    /// What a field holds.
    pub(super) fn field(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The id of the one token, if there is one.
    pub(super) fn token(&self) -> Option<&str> {
        self.get("token_id")
    }

    /// The id of the one account, if there is one.
    pub(super) fn account(&self) -> Option<&str> {
        self.get("account_id")
    }

    fn get(&self, name: &str) -> Option<&str> {
        let query = &self.query;
        let text = match name {
            "from" => &query.from,
            "to" => &query.to,
            "account_id" => &query.account_id,
            "token_id" => &query.token_id,
            "endpoint" => &query.endpoint,
            "method" => &query.method,
            "status_class" => &query.status_class,
            _ => return None,
        };
        given(text.as_ref())
    }

    /// The times to choose from: what each is called, its page, and whether it is this one.
    pub(super) fn ranges(&self) -> Vec<(&'static str, String, bool)> {
        let of = |(name, words, ..): (&'static str, &'static str, Width, usize, i32)| {
            (
                words,
                self.over(Range::Last(name)),
                self.range == Range::Last(name),
            )
        };
        let live = ("Live", self.over(Range::Live), self.range == Range::Live);
        RANGES.into_iter().map(of).chain([live]).collect()
    }

    /// The same page over another time.
    pub(super) fn over(&self, range: Range) -> String {
        self.link(PATH, range, None, &[])
    }

    /// The same page with one thing more, or without it.
    pub(super) fn with(&self, name: &'static str, value: Option<&str>) -> String {
        self.link(PATH, self.range, Some((name, value)), &[])
    }

    /// This page.
    pub(super) fn here(&self) -> String {
        self.over(self.range)
    }

    /// The same over a time of which single requests are counted at once.
    pub(super) fn over_a_day(&self) -> String {
        self.over(Range::Last(USUAL))
    }

    /// Whether the time is not too long for single requests to be counted.
    pub(super) fn may_be_counted_singly(&self) -> bool {
        self.window.is_read_singly(self.token().is_some())
    }

    /// Whether they are: at once where there are few, else where somebody wants it.
    pub(super) fn is_counted_singly(&self, requests: Option<u64>) -> bool {
        let is_wanted = given(self.query.singly.as_ref()).is_some();
        let are_few = requests.is_some_and(|requests| requests <= FEW);
        self.may_be_counted_singly() && (are_few || is_wanted)
    }

    /// The same with them counted.
    pub(super) fn counted_singly(&self) -> String {
        self.link(PATH, self.range, None, &[("singly", Some("1"))])
    }

    /// The export of what this page shows by something.
    pub(super) fn export(&self, what: &str, format: &str) -> String {
        let more = [("what", Some(what)), ("format", Some(format))];
        self.link("/console/usage/export", self.range, None, &more)
    }

    fn link(
        &self,
        path: &str,
        range: Range,
        changed: Option<(&str, Option<&str>)>,
        more: &[(&str, Option<&str>)],
    ) -> String {
        let (name, live) = match range {
            Range::Last(USUAL) | Range::Own => (None, None),
            Range::Last(name) => (Some(name), None),
            Range::Live => (None, Some("1")),
        };
        let mut parts = vec![("range", name), ("live", live)];
        if range == Range::Own {
            parts.extend(["from", "to"].map(|name| (name, self.get(name))));
        }
        let filters = [
            "account_id",
            "token_id",
            "endpoint",
            "method",
            "status_class",
        ];
        parts.extend(filters.map(|name| match changed {
            Some((changed, value)) if changed == name => (name, value),
            _ => (name, self.get(name)),
        }));
        parts.extend(more);
        url(path, &parts)
    }

    /// The filters that are set.
    pub(super) fn filters(&self) -> Vec<Set<'_>> {
        let names = [
            ("account_id", "Account"),
            ("token_id", "Token"),
            ("endpoint", "Endpoint"),
            ("method", "Method"),
            ("status_class", "Status"),
        ];
        let set = |(name, words)| {
            self.get(name).map(|value| Set {
                name: words,
                value,
                without: self.with(name, None),
            })
        };
        names.into_iter().filter_map(set).collect()
    }

    /// The question by what requests are told apart, over a time.
    pub(super) fn question(&self, window: Window, group_by: Option<&'static str>) -> Question<'_> {
        Question {
            account_id: self.account(),
            token_id: self.token(),
            from: machine(window.from),
            to: machine(window.to),
            bucket: window.width.as_str(),
            group_by,
            limit: None,
            endpoint: self.get("endpoint"),
            method: self.get("method"),
            status_class: self.get("status_class"),
            format: None,
        }
    }
}

fn last(name: Option<&str>, now: DateTime<Utc>) -> (Range, Window) {
    let named = |wanted: &str| RANGES.into_iter().find(|(name, ..)| *name == wanted);
    let found = name.and_then(named).or_else(|| named(USUAL));
    let (name, _, width, together, columns) = found.unwrap_or(RANGES[0]);
    (
        Range::Last(name),
        Window::ending(now, width, together, columns),
    )
}

/// A moment as a form sends it, by UTC, or as programs write it.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];
    let mut read = forms
        .iter()
        .filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let at = read
        .next()
        .or_else(|| Some(day()?.and_time(NaiveTime::MIN)))?;
    Some(at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(query: &str) -> Scope {
        let now = "2026-11-21T13:07:09Z".parse().unwrap();
        Scope::read(serde_html_form::from_str(query).unwrap(), now)
    }

    #[test]
    fn the_url_is_the_state() {
        let usual = scope("range=&endpoint=&token_id=");
        assert_eq!(
            (usual.range, usual.here().as_str()),
            (Range::Last("24h"), "/console/usage")
        );
        let week = scope("range=7d&endpoint=%2Forders%3Fa&method=GET");
        assert_eq!(
            week.here(),
            "/console/usage?range=7d&endpoint=%2Forders%3Fa&method=GET"
        );
        assert_eq!(
            week.with("endpoint", None),
            "/console/usage?range=7d&method=GET"
        );
        assert_eq!(week.filters().len(), 2);
        assert_eq!(scope("live=1").here(), "/console/usage?live=1");
        let own = scope("from=2026-11-20T10:00&to=2026-11-20T12:00");
        assert_eq!(own.range, Range::Own);
        assert_eq!(own.window.from.to_rfc3339(), "2026-11-20T10:00:00+00:00");
        assert!(
            own.export("status", "csv")
                .starts_with("/console/usage/export?from=2026-11-20T10")
        );
        assert_eq!(own.ranges().iter().filter(|(.., here)| *here).count(), 0);
    }

    #[test]
    fn what_cannot_be_asked_is_told_beside_its_field() {
        for (query, field) in [
            ("token_id=x", "token_id"),
            ("account_id='--", "account_id"),
            ("from=yesterday", "from"),
            ("from=2026-11-20T10:00&to=2026-11-20T10:00", "from"),
            ("from=2030-01-01", "from"),
        ] {
            let scope = scope(query);
            assert!(scope.is_refused(), "{query}");
            assert_eq!(scope.complaint(field).len(), 1, "{query}");
        }
        assert!(!scope("range=forever").is_refused());
    }
}
