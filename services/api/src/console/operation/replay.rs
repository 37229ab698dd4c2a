//! `GET` and `POST /console/operation/dead-letters/replay`: a change of many, so it asks first.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, Uri};
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::{given, url};
use crate::console::refused::Refused;
use crate::console::session::{OperatorIn, SignedIn};
use crate::console::stop::{Shown, Stop, go_to, page, page_with};
use crate::http::problem::Problem;

const LIST: &str = "/console/operation/dead-letters";

/// Which letters are meant.
#[derive(Debug, Deserialize)]
pub(super) struct Meant {
    #[serde(default)]
    id: Vec<i64>,
    reason: Option<String>,
    source: Option<String>,
    /// `selected` or `all`.
    what: String,
}

/// What is asked of the management API.
#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [i64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    asked: Vec<i64>,
    more: bool,
}

#[derive(Template)]
#[template(path = "console/operation/replay.html")]
struct Page {
    frame: Frame,
    /// Which, in words.
    which: String,
    meant: Meant,
    /// Whether any are.
    are_any: bool,
}

/// Asks whether these letters are to be tried again.
pub(super) async fn ask(
    State(_console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    uri: Uri,
) -> Shown {
    let query = uri.query().unwrap_or_default();
    let meant = serde_html_form::from_str(query).map_err(|error| {
        let detail = format!("the query cannot be accepted: {error}");
        Problem::bad_request("INVALID_QUERY", detail)
    })?;
    page(&asking(&signed_in, meant))
}

fn asking(signed_in: &SignedIn, meant: Meant) -> Page {
    Page {
        frame: Frame::new(signed_in, Place::Operation, "Try dead letters again"),
        which: meant.words(),
        are_any: !(meant.is_selection() && meant.id.is_empty()),
        meant,
    }
}

impl Meant {
    fn is_selection(&self) -> bool {
        self.what != "all"
    }

    fn words(&self) -> String {
        let (reason, source) = (given(self.reason.as_ref()), given(self.source.as_ref()));
        match (self.id.len(), reason, source) {
            (1, _, _) if self.is_selection() => format!("letter {}", self.id[0]),
            (number, _, _) if self.is_selection() => format!("{number} letters"),
            (_, None, None) => "all letters".to_owned(),
            (_, Some(reason), None) => format!("all letters with the reason {reason}"),
            (_, None, Some(source)) => format!("all letters of the source {source}"),
            (_, Some(reason), Some(source)) => {
                format!("all letters with the reason {reason} of the source {source}")
            }
        }
    }

    /// The requests that ask for it. To mean all is to mean each reason.
    fn bodies(&self) -> Vec<Body<'_>> {
        let (reason, source) = (given(self.reason.as_ref()), given(self.source.as_ref()));
        let body = |ids, reason| Body {
            ids,
            reason,
            source,
        };
        if self.is_selection() {
            let ids = Some(self.id.as_slice());
            return vec![Body {
                ids,
                reason: None,
                source: None,
            }];
        }
        if reason.is_some() || source.is_some() {
            return vec![body(None, reason)];
        }
        let reasons = super::letters::REASONS.iter();
        reasons.map(|(name, _)| body(None, Some(*name))).collect()
    }
}

/// Has them tried again, as many as the API takes at once.
pub(super) async fn carry_out(
    State(_console): State<Console>,
    Form { signed_in, fields }: Form<Meant>,
) -> Shown {
    signed_in.must_be_operator()?;
    let mut number = 0;
    let mut more = false;
    for body in fields.bodies() {
        match replay(&signed_in, &body).await {
            Ok(asked) => {
                number += asked.asked.len();
                more |= asked.more;
            }
            Err(Stop::Refused(refused)) if refused.is_about_input() => {
                return again(&signed_in, fields, &refused);
            }
            Err(stop) => return Err(stop),
        }
    }
    let number = number.to_string();
    let parts = [
        ("reason", given(fields.reason.as_ref())),
        ("source", given(fields.source.as_ref())),
        ("asked", Some(number.as_str())),
        ("more", more.then_some("true")),
    ];
    Ok(go_to(&url(LIST, &parts)))
}

async fn replay(signed_in: &SignedIn, body: &Body<'_>) -> Result<Asked, Stop> {
    let change = signed_in
        .api
        .change(Method::POST, "/v1/dead-letters/replay");
    change.with(body).await
}

fn again(signed_in: &SignedIn, meant: Meant, refused: &Refused) -> Shown {
    let mut page = asking(signed_in, meant);
    page.frame = page.frame.saying(Tone::Bad, refused.detail.as_str());
    page_with(refused.status(), &page)
}
