//! `GET /console/usage/requests`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::verdict::Verdict;
use uuid::Uuid;

use super::card::{Card, read};
use super::export::{format, saved};
use super::scope::moment;
use super::verdicts;
use super::window::machine;
use crate::console::Console;
use crate::console::chart::duration;
use crate::console::frame::{Frame, Place};
use crate::console::query::{given, url};
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, page_with};
use crate::console::words::{Moment, count};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

const PATH: &str = "/console/usage/requests";

/// The query string, as a form sends it.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Query {
    token_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
    verdict: Option<String>,
    status: Option<String>,
    endpoint: Option<String>,
    ip: Option<String>,
    request_id: Option<String>,
    cursor: Option<String>,
    format: Option<String>,
}

/// A question to `GET /v1/tokens/{id}/usage/requests`.
#[derive(Debug, Serialize)]
struct Question<'a> {
    from: Option<String>,
    to: Option<String>,
    verdict: Option<&'a str>,
    status: Option<&'a str>,
    endpoint: Option<&'a str>,
    ip: Option<&'a str>,
    request_id: Option<&'a str>,
    cursor: Option<&'a str>,
    format: Option<&'a str>,
}

impl Query {
    fn question(&self) -> Question<'_> {
        // What is no time is for the API to refuse.
        let time = |text: &Option<String>| {
            let text = given(text.as_ref())?;
            Some(moment(text).map_or_else(|| text.to_owned(), machine))
        };
        Question {
            from: time(&self.from),
            to: time(&self.to),
            verdict: given(self.verdict.as_ref()),
            status: given(self.status.as_ref()),
            endpoint: given(self.endpoint.as_ref()),
            ip: given(self.ip.as_ref()),
            request_id: given(self.request_id.as_ref()),
            cursor: given(self.cursor.as_ref()),
            format: None,
        }
    }

    fn token(&self) -> Option<&str> {
        given(self.token_id.as_ref())
    }

    fn link(&self, path: &str, cursor: Option<&str>) -> String {
        let texts = [
            ("token_id", &self.token_id),
            ("from", &self.from),
            ("to", &self.to),
            ("verdict", &self.verdict),
            ("status", &self.status),
            ("endpoint", &self.endpoint),
            ("ip", &self.ip),
            ("request_id", &self.request_id),
        ];
        let mut parts: Vec<_> = texts
            .map(|(name, text)| (name, given(text.as_ref())))
            .into();
        parts.push(("cursor", cursor));
        url(path, &parts)
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Item {
    timestamp: DateTime<Utc>,
    timestamp_replaced: bool,
    method: String,
    endpoint: String,
    status: i16,
    verdict: String,
    response_time_us: u64,
    ip: Option<String>,
    user_agent: String,
    request_id: Option<String>,
}

impl Item {
    fn at(&self) -> String {
        self.timestamp.format("%-d %b %Y, %H:%M:%S%.3f").to_string()
    }

    fn took(&self) -> String {
        duration(self.response_time_us)
    }

    fn verdict(&self) -> &str {
        verdicts::of_code(&self.verdict)
    }

    /// As the styles name it.
    fn state(&self) -> &'static str {
        match self.verdict.as_str() {
            "VALID" => "ok",
            _ => "error",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Token {
    id: Uuid,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Top {
    items: Vec<Used>,
}

/// A token that was used, to choose from.
#[derive(Debug, Deserialize)]
struct Used {
    token_id: Uuid,
    name: Option<String>,
    requests: u64,
}

impl Used {
    fn link(&self) -> String {
        let id = self.token_id.to_string();
        url(PATH, &[("token_id", Some(&id))])
    }

    fn count(&self) -> String {
        count(self.requests)
    }
}

#[derive(Template)]
#[template(path = "console/usage/requests.html")]
struct Page {
    frame: Frame,
    query: Query,
    /// Whose requests they are, where that is known.
    token: Option<Token>,
    /// What cannot be asked.
    complaint: Option<String>,
    answer: Option<Card<Answer>>,
    /// The tokens to choose from, where none was named.
    choice: Option<Card<Top>>,
    now: DateTime<Utc>,
}

impl Page {
    fn verdicts(&self) -> Vec<(&'static str, &'static str)> {
        let all = Verdict::ALL.into_iter();
        all.map(|it| (it.code(), verdicts::words(it))).collect()
    }

    fn field<'a>(&self, text: &'a Option<String>) -> &'a str {
        given(text.as_ref()).unwrap_or_default()
    }

    fn older(&self, answer: &Answer) -> Option<String> {
        let cursor = answer.next_cursor.as_deref()?;
        Some(self.query.link(PATH, Some(cursor)))
    }

    fn newest(&self) -> Option<String> {
        given(self.query.cursor.as_ref()).map(|_| self.query.link(PATH, None))
    }

    fn export(&self) -> String {
        let cursor = given(self.query.cursor.as_ref());
        self.query.link("/console/usage/requests/export", cursor)
    }

    fn here(&self) -> String {
        self.query.link(PATH, given(self.query.cursor.as_ref()))
    }

    fn over_time(&self) -> String {
        url("/console/usage", &[("token_id", self.query.token())])
    }

    fn without_filters(&self) -> String {
        url(PATH, &[("token_id", self.query.token())])
    }

    fn moment(&self, item: &Item) -> Moment {
        Moment {
            at: item.timestamp,
            now: self.now,
        }
    }
}

/// The single requests of a token; without one, tokens to choose from.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let mut shown = Page {
        frame: Frame::new(&signed_in, Place::Usage, "Single requests"),
        query,
        token: None,
        complaint: None,
        answer: None,
        choice: None,
        now: console.app.now(),
    };
    let api = &signed_in.api;
    let Some(token) = shown.query.token().map(str::to_owned) else {
        shown.choice = Some(read(api, "/v1/usage/tokens", &()).await);
        return page_with(StatusCode::OK, &shown);
    };
    if Uuid::parse_str(&token).is_err() {
        shown.complaint = Some("The token is told by its id.".to_owned());
        return page_with(StatusCode::BAD_REQUEST, &shown);
    }
    let found: Card<Token> = read(api, &format!("/v1/tokens/{token}"), &()).await;
    let path = format!("/v1/tokens/{token}/usage/requests");
    let answer: Card<Answer> = read(api, &path, &shown.query.question()).await;
    shown.token = found.ok();
    let status = match &answer {
        Err(trouble) => match trouble.status() {
            404 => {
                shown.complaint = Some("There is no such token.".to_owned());
                StatusCode::NOT_FOUND
            }
            400 => {
                shown.complaint = Some(trouble.text.clone());
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::OK,
        },
        Ok(_) => StatusCode::OK,
    };
    shown.answer = Some(answer).filter(|_| shown.complaint.is_none());
    page_with(status, &shown)
}

/// The same page as the API answers it: to be saved.
pub(super) async fn export(signed_in: SignedIn, Parameters(query): Parameters<Query>) -> Shown {
    let format = format(query.format.as_deref())?;
    let token = query.token().and_then(|text| Uuid::parse_str(text).ok());
    let token = token.ok_or_else(|| Problem::not_found("token"))?;
    let mut question = query.question();
    question.format = Some(format);
    let path = format!("/v1/tokens/{token}/usage/requests");
    let answer = signed_in.api.answer(&path, &question).await?;
    saved(answer, &format!("requests.{format}"))
}
