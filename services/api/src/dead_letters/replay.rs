//! `POST /v1/dead-letters/replay`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tollkeeper_read_model::usage::dead_letters::{self, Letters};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Reason, must_reach_all};
use crate::app::App;
use crate::caller::{Allowed, UsageWrite};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::openapi::errors::WithBody;

/// The most letters of one request.
const MOST: usize = 1_000;

/// Which letters to try again: those of which all that is given holds, and something must be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayDeadLetters, example = json!({ "reason": "refused" }))]
pub(crate) struct Replay {
    /// These.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Option<Vec<i64>>,
    /// Those with this reason.
    reason: Option<Reason>,
    /// Those of this source.
    source: Option<Uuid>,
}

/// What was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLettersReplay, example = json!({ "asked": [12, 17], "unknown": [], "more": false }))]
pub(crate) struct Asked {
    /// The letters that ingestors try again, also those that wait for it already: at most 1,000.
    asked: Vec<i64>,
    /// Of those that were named, what is not there.
    unknown: Vec<i64>,
    /// Whether there are more that nobody has asked for: ask again.
    more: bool,
}

/// Has ingestors try letters again: 200; 403 for those who do not act across accounts; 422 where nothing
/// says which.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/replay",
    tag = "Usage",
    operation_id = "replayDeadLetters",
    summary = "Try again what could not be counted",
    description = "An ingestor tries each letter again, soon after. What is counted then is no letter any \
        more; what is not tells in `replay_failure` why. No call is counted twice, however often it is \
        asked for. For operators and tokens of system accounts.",
    request_body = Replay,
    responses(
        (status = 200, description = "The letters that are to be tried again", body = Asked),
        WithBody<UsageWrite>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<UsageWrite>,
    RequestId(request_id): RequestId,
    Body(body): Body<Replay>,
) -> Result<impl IntoResponse, Problem> {
    must_reach_all(allowed.reach)?;
    let letters = letters(body)?;
    let actor = allowed.caller.actor();
    let by = dead_letters::replay_by(&actor, &request_id);
    let asked = dead_letters::ask_for_replay(&app.pool, &letters, MOST as i64, &by).await?;
    let named = letters.ids.iter().flatten();
    let unknown = named.filter(|id| !asked.contains(id)).copied().collect();
    let more = dead_letters::are_left(&app.pool, &letters).await?;
    Ok(Json(Asked {
        asked,
        unknown,
        more,
    }))
}

fn letters(body: Replay) -> Result<Letters, Problem> {
    if let Some(ids) = &body.ids
        && !(1..=MOST).contains(&ids.len())
    {
        let detail = format!("these are 1 to {MOST} numbers of letters");
        return Err(Problem::bad_field("/ids", detail));
    }
    if body.ids.is_none() && body.reason.is_none() && body.source.is_none() {
        let detail = "one of `ids`, `reason` and `source` says which letters are meant";
        return Err(Problem::bad_field("", detail));
    }
    Ok(Letters {
        ids: body.ids,
        reason: body.reason.map(|reason| reason.name().to_owned()),
        source: body.source,
        before: None,
    })
}
