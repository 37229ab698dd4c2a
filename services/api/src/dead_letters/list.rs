//! `GET /v1/dead-letters`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tollkeeper_read_model::usage::dead_letters::{self, Letters};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::view::LetterView;
use super::{Reason, must_reach_all};
use crate::app::App;
use crate::caller::{Allowed, CompletenessRead};
use crate::http::cursor;
use crate::http::page::limit;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::openapi::errors::Guarded;

/// By which its cursors are told from those of other lists.
const LIST: [&[u8]; 1] = [b"dead letters"];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those with this reason.
    reason: Option<Reason>,
    /// Only those of this source.
    source: Option<Uuid>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{16}$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// One page of dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetters)]
pub(crate) struct Page {
    /// From the newest to the oldest.
    items: Vec<LetterView>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Usage that could not be counted, the newest first: 200; 403 for those who do not act across accounts.
#[utoipa::path(
    get,
    path = "/v1/dead-letters",
    tag = "Usage",
    operation_id = "listDeadLetters",
    summary = "List usage that could not be counted",
    description = "From the newest to the oldest, without what letters hold. For operators and tokens of \
        system accounts.",
    params(Query),
    responses(
        (status = 200, description = "A page of dead letters", body = Page),
        Guarded<CompletenessRead>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<CompletenessRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    must_reach_all(allowed.reach)?;
    let limit = limit(query.limit)?;
    let letters = Letters {
        ids: None,
        reason: query.reason.map(|reason| reason.name().to_owned()),
        source: query.source,
        before: query.cursor.as_deref().map(read).transpose()?,
    };
    let mut rows = dead_letters::list(&app.pool, &letters, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let last = rows.last().filter(|_| more).map(|row| row.id);
    let next_cursor = last.map(|id| cursor::write(&LIST, id.to_be_bytes().to_vec()));
    let items = rows.into_iter().map(LetterView::from).collect();
    Ok(Json(Page { items, next_cursor }))
}

fn read(text: &str) -> Result<i64, Problem> {
    let number = |place: &[u8]| place.try_into().ok().map(i64::from_be_bytes);
    cursor::read(&LIST, text, number)
}
