//! `GET /v1/audit`

use axum::extract::State;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::audit::{self, Act, AuditFilter, AuditRow, COLUMNS, Entry, cells};
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::{AuditAction, Item, OutcomeName, Page, actions};
use super::{Continued, cursor};
use crate::app::App;
use crate::caller::{Allowed, EventsRead};
use crate::http::csv::{Format, Table, next_page};
use crate::http::page::limit;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{Guarded, RangeTooLarge};
use crate::usage::reading::{self, Reading};

/// What would do where a question takes too long.
const SHORTER: &str = "ask for a shorter time with `since` and `until`, or for less";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only what this one did or was refused, such as `operator:admin` or `token:<id>`.
    #[param(pattern = r"^[^\x00]*$")]
    actor: Option<String>,
    /// Only this: an event's type, another action's name, or an operation that was refused.
    #[param(value_type = Option<AuditAction>)]
    action: Option<String>,
    /// Only what had this outcome.
    #[param(inline)]
    outcome: Option<OutcomeName>,
    /// Only what concerns this account and its tokens, or was refused to them.
    account_id: Option<Uuid>,
    /// Only what was done to this token, account or webhook. Of refused attempts, only those of which it
    /// is the one that is told.
    subject_id: Option<Uuid>,
    /// Only from this moment on; from as long ago as the audit log is kept if it is not given.
    since: Option<DateTime<Utc>>,
    /// Only before this moment.
    until: Option<DateTime<Utc>>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{28}$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// How the answer is written. As CSV, the next page is named by a `Link` header.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// The audit log of all, or of the caller's account, the newest first: 200, 400 for what cannot be asked or
/// is too much.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "History",
    operation_id = "listAudit",
    summary = "Read the audit log",
    description = "Who did what, and who was refused what: the changes of tokens and accounts, as they are \
        in the event log; what left no event there, such as changes of webhooks and exports; and refused \
        attempts at management (401, 403, 429, and 404 for one thing by its id), those of a minute that are \
        alike as one line with their number. Of all accounts for those who act across them, else of the \
        caller's own. Refused attempts come a second late. What is older than the audit log is kept is \
        not shown, though events stay in `/v1/events`. An answer as CSV leaves an entry itself.",
    params(Query),
    responses(
        (
            status = 200,
            description = "A page of the audit log",
            content(
                (Page = "application/json"),
                (String = "text/csv", example = "at,last_at,outcome,action,actor\r\n"),
            ),
            headers(("Link" = String, description = "With `format=csv`: the next page, if any")),
        ),
        Guarded<EventsRead>,
        RangeTooLarge,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<EventsRead>,
    RequestId(request_id): RequestId,
    continued: Option<Extension<Continued>>,
    uri: Uri,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let after = query.cursor.as_deref().map(cursor::read).transpose()?;
    let format = query.format;
    let filter = filter(&app, query)?;
    if format == Format::Csv && continued.is_none() {
        let actor = allowed.caller.actor();
        let entry = Entry {
            account_id: allowed.reach.account(),
            ..Entry::by(&actor, &request_id, Act::AuditExported)
        };
        audit::note(&app.pool, &entry.with("path", "/v1/audit")).await?;
    }
    let (reach, filter) = (allowed.reach, &filter);
    let asking = |mut db: Reading| async move {
        audit::list(&mut db, reach, filter, after, limit + 1).await
    };
    let mut rows = reading::ask_primary(&app, SHORTER, asking).await?;
    let wanted = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let end = rows.last().filter(|_| more).map(AuditRow::place);
    let next_cursor = end.map(|place| cursor::write(&place));
    match format {
        Format::Json => {
            let items = rows.into_iter().map(Item::from).collect();
            Ok(Json(Page { items, next_cursor }).into_response())
        }
        Format::Csv => {
            let mut response = table(&rows)?;
            if let Some(cursor) = next_cursor {
                response.headers_mut().extend([next_page(&uri, &cursor)?]);
            }
            Ok(response)
        }
    }
}

fn filter(app: &App, query: Query) -> Result<AuditFilter, Problem> {
    let bad = |detail: &str| Problem::bad_request("INVALID_QUERY", detail);
    if let Some(action) = &query.action
        && !actions().any(|known| known == *action)
    {
        return Err(bad("`action` is none that there is"));
    }
    let moment = |name, it: Option<DateTime<Utc>>| {
        it.map(|it| crate::usage::times::moment(name, it))
            .transpose()
    };
    let (since, until) = (moment("since", query.since)?, moment("until", query.until)?);
    if since
        .zip(until)
        .is_some_and(|(since, until)| since >= until)
    {
        return Err(bad("`since` lies before `until`"));
    }
    let kept = app.now() - app.policy.audit_retention;
    Ok(AuditFilter {
        actor: query.actor,
        action: query.action,
        outcome: query.outcome.map(Into::into),
        account: query.account_id.map(AccountId),
        subject: query.subject_id,
        since: since.map_or(kept, |since| since.max(kept)),
        until,
    })
}

fn table(rows: &[AuditRow]) -> Result<Response, Problem> {
    let mut table = Table::new(&COLUMNS)?;
    for row in rows {
        table.row(cells(row))?;
    }
    table.into_file(HeaderValue::from_static(
        "attachment; filename=\"audit.csv\"",
    ))
}
