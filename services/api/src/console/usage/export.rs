//! `GET /console/usage/export`

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::scope::{Query, Scope};
use crate::console::Console;
use crate::console::session::SignedIn;
use crate::console::stop::Shown;
use crate::http::problem::Problem;
use crate::http::query::Parameters;

/// What can be taken away, and by what it is told apart.
const KINDS: [(&str, &str); 6] = [
    ("status", "status_class"),
    ("endpoints", "endpoint"),
    ("tokens", "token"),
    ("verdicts", "verdict"),
    ("networks", "ip_network"),
    ("agents", "user_agent_family"),
];

/// What the page shows, as the API answers it: to be saved.
pub(super) async fn usage(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let what = query.what.clone().unwrap_or_default();
    let kind = KINDS.into_iter().find(|(name, _)| *name == what);
    let (name, group_by) = kind.ok_or_else(|| bad("`what` is none that there is"))?;
    let format = format(query.format.as_deref())?;
    let scope = Scope::read(query, console.app.now());
    if scope.is_refused() {
        return Err(bad("an id or a time cannot be read").into());
    }
    let mut question = scope.question(scope.window, Some(group_by));
    question.format = Some(format);
    let answer = signed_in.api.answer("/v1/usage", &question).await?;
    saved(answer, &format!("usage-{name}.{format}"))
}

/// How an answer is written: `csv` if nobody says.
///
/// # Errors
/// 400 for what there is not.
pub(super) fn format(text: Option<&str>) -> Result<&'static str, Problem> {
    match text {
        None | Some("csv") => Ok("csv"),
        Some("json") => Ok("json"),
        Some(_) => Err(bad("`format` is `csv` or `json`")),
    }
}

/// The same answer, as a file of this name.
pub(super) fn saved(mut answer: Response, name: &str) -> Shown {
    let kept = format!("attachment; filename=\"{name}\"");
    let kept = HeaderValue::try_from(kept).map_err(Problem::internal)?;
    answer
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, kept);
    Ok(answer)
}

fn bad(detail: &str) -> Problem {
    Problem::bad_request("INVALID_QUERY", detail)
}
