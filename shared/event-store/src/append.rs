//! Appends events and the rows projected from them in one call to the database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgPool;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::verdict::Verdict;
use uuid::Uuid;

use crate::canonical::{CanonicalError, Envelope, digest, to_canonical};

/// An event that is to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its own id.
    pub event_id: Uuid,
    /// Whose history it belongs to.
    pub stream: Stream,
    /// The account that the stream belongs to; the account itself for an account's own.
    pub account_id: AccountId,
    /// Its place in that history: one more than the last that was loaded.
    pub stream_version: u64,
    /// What happened.
    pub event: Event,
    /// Who caused it.
    pub actor: String,
    /// The request that caused it.
    pub request_id: String,
    /// When it was decided.
    pub occurred_at: DateTime<Utc>,
}

/// Rows for the projected tables, by the name of the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows(Map<String, Value>);

impl Rows {
    /// Adds one row for `table`.
    pub fn push(&mut self, table: &str, row: Value) {
        match self.0.get_mut(table) {
            Some(Value::Array(rows)) => rows.push(row),
            _ => {
                self.0.insert(table.to_owned(), Value::Array(vec![row]));
            }
        }
    }

    /// The rows as one JSON object, an array a table.
    #[must_use]
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }

    fn extend(&mut self, other: &Self) {
        for (table, rows) in &other.0 {
            for row in rows.as_array().into_iter().flatten() {
                self.push(table, row.clone());
            }
        }
    }
}

/// All that one command wants written, whole or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Submission {
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// The rows projected from them.
    pub rows: Rows,
    /// Accounts that must be active until this is committed.
    pub active_accounts: Vec<AccountId>,
    /// Accounts that this changes.
    pub changing_accounts: Vec<AccountId>,
    /// Live tokens that this adds to accounts.
    pub new_tokens: Vec<NewTokens>,
}

impl Submission {
    /// Adds all that another one wants written: both are written, or neither.
    pub fn merge(&mut self, other: Self) {
        self.events.extend(other.events);
        self.rows.extend(&other.rows);
        self.active_accounts.extend(other.active_accounts);
        self.changing_accounts.extend(other.changing_accounts);
        self.new_tokens.extend(other.new_tokens);
    }
}

/// Live tokens that come to an account, which may have a limit to their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTokens {
    /// The account.
    pub account_id: AccountId,
    /// How many.
    pub count: u32,
    /// The most that the account may have if it has no limit of its own; none for no limit.
    pub default_limit: Option<u32>,
}

/// Where events came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of the first; the others follow it without a gap.
    pub first_position: i64,
    /// When they were recorded.
    pub recorded_at: DateTime<Utc>,
}

/// Why events were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else has appended to one of the streams since it was loaded: load and decide again.
    #[error("the stream has moved on")]
    Conflict,
    /// An account that must be active is not.
    #[error("account {0} is not active")]
    AccountNotActive(AccountId),
    /// An account would have more live tokens than it may.
    #[error("account {0} has as many tokens as it may")]
    TooManyTokens(AccountId),
    /// The token in whose name an event is, or that issued another, does not work by now.
    #[error("the token that was used does not work any more")]
    ActorEnded(Verdict),
    /// Somebody else carries out the request with this idempotency key by now.
    #[error("the reservation of the idempotency key is lost")]
    ReservationLost,
    /// A rule of the tables does not let the rows in.
    #[error("constraint {0} does not allow this")]
    Refused(String),
    /// A payload cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// More events than one transaction may hold.
    #[error("one submission holds at most {MAX_EVENTS} events")]
    TooLarge,
    /// The database did not answer in time. Whether the events were appended is not known.
    #[error("the event log cannot be written now: {0}")]
    Unavailable(String),
}

/// The most events that one transaction may hold.
pub(crate) const MAX_EVENTS: usize = 1000;

/// How long one call may take. Above the function's own `lock_timeout`, so that a locked head is
/// told by the database, and this is for a network that has gone silent.
const PATIENCE: Duration = Duration::from_secs(6);

/// Hands the database everything in one round trip that ends in the commit, and tells where the
/// first event of each submission came to stand.
pub(crate) async fn append_group(
    pool: &PgPool,
    group: &[&Submission],
) -> Result<Vec<Appended>, AppendError> {
    let columns = Columns::of(group)?;
    let mut connection = pool.acquire().await.map_err(classify)?;
    let call = sqlx::query!(
        r#"select first_position as "first_position!", recorded as "recorded!"
        from append_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18)"#,
        &columns.active_accounts,
        &columns.changing_accounts,
        &columns.limited_accounts,
        &columns.additions,
        &columns.default_limits as &[Option<i32>],
        &columns.event_ids,
        &columns.stream_types as &[&str],
        &columns.stream_ids,
        &columns.stream_versions,
        &columns.account_ids,
        &columns.names as &[&str],
        &columns.schema_versions,
        &columns.payloads,
        &columns.actors as &[&str],
        &columns.request_ids as &[&str],
        &columns.occurred_ats,
        &columns.digests,
        columns.rows.into_json(),
    )
    .fetch_one(&mut *connection);
    let row = match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(classify)?,
        Err(_) => {
            // Nobody knows what else would come over this connection.
            drop(connection.detach());
            let why = "the database did not answer in time";
            return Err(AppendError::Unavailable(why.to_owned()));
        }
    };
    let mut position = row.first_position;
    let mut appended = Vec::with_capacity(group.len());
    for submission in group {
        appended.push(Appended {
            first_position: position,
            recorded_at: row.recorded,
        });
        position += i64::try_from(submission.events.len()).unwrap_or(0);
    }
    Ok(appended)
}

/// The group turned into one array a column.
#[derive(Default)]
struct Columns<'a> {
    active_accounts: Vec<Uuid>,
    changing_accounts: Vec<Uuid>,
    limited_accounts: Vec<Uuid>,
    additions: Vec<i32>,
    default_limits: Vec<Option<i32>>,
    event_ids: Vec<Uuid>,
    stream_types: Vec<&'a str>,
    stream_ids: Vec<Uuid>,
    stream_versions: Vec<i64>,
    account_ids: Vec<Uuid>,
    names: Vec<&'a str>,
    schema_versions: Vec<i32>,
    payloads: Vec<Vec<u8>>,
    actors: Vec<&'a str>,
    request_ids: Vec<&'a str>,
    occurred_ats: Vec<DateTime<Utc>>,
    digests: Vec<Vec<u8>>,
    rows: Rows,
}

impl<'a> Columns<'a> {
    fn of(group: &[&'a Submission]) -> Result<Self, AppendError> {
        let mut columns = Self::default();
        for submission in group {
            columns
                .active_accounts
                .extend(submission.active_accounts.iter().map(|id| id.0));
            columns
                .changing_accounts
                .extend(submission.changing_accounts.iter().map(|id| id.0));
            for new in &submission.new_tokens {
                let count = |number| i32::try_from(number).unwrap_or(i32::MAX);
                columns.limited_accounts.push(new.account_id.0);
                columns.additions.push(count(new.count));
                columns.default_limits.push(new.default_limit.map(count));
            }
            columns.rows.extend(&submission.rows);
            submission
                .events
                .iter()
                .try_for_each(|event| columns.push(event))?;
        }
        if columns.event_ids.len() > MAX_EVENTS {
            return Err(AppendError::TooLarge);
        }
        Ok(columns)
    }

    fn push(&mut self, new: &'a NewEvent) -> Result<(), AppendError> {
        let payload = new.event.payload().map_err(CanonicalError::from)?;
        let schema_version = new.event.schema_version();
        let envelope = Envelope {
            actor: &new.actor,
            event_id: new.event_id,
            occurred_at: new.occurred_at,
            payload: &payload,
            request_id: &new.request_id,
            schema_version,
            stream_id: new.stream.id(),
            stream_type: new.stream.kind(),
            stream_version: new.stream_version,
            name: new.event.name(),
        };
        self.digests.push(digest(&envelope)?.to_vec());
        self.payloads.push(to_canonical(&payload)?);
        self.event_ids.push(new.event_id);
        self.stream_types.push(new.stream.kind());
        self.stream_ids.push(new.stream.id());
        self.stream_versions
            .push(i64::try_from(new.stream_version).unwrap_or(i64::MAX));
        self.account_ids.push(new.account_id.0);
        self.names.push(new.event.name());
        self.schema_versions
            .push(i32::try_from(schema_version).unwrap_or(i32::MAX));
        self.actors.push(&new.actor);
        self.request_ids.push(&new.request_id);
        self.occurred_ats.push(new.occurred_at);
        Ok(())
    }
}

/// Tells what a failure means by its SQLSTATE and constraint; the text is never looked at.
fn classify(error: sqlx::Error) -> AppendError {
    let sqlx::Error::Database(inside) = &error else {
        return AppendError::Unavailable(error.to_string());
    };
    match (inside.kind(), inside.constraint(), inside.code().as_deref()) {
        (ErrorKind::UniqueViolation, Some("events_stream_version_key"), _) => AppendError::Conflict,
        (
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::CheckViolation
            | ErrorKind::NotNullViolation,
            Some(constraint),
            _,
        ) => AppendError::Refused(constraint.to_owned()),
        (_, _, Some("TK001")) => AppendError::AccountNotActive(account_in_detail(&**inside)),
        (_, _, Some("TK002")) => AppendError::TooManyTokens(account_in_detail(&**inside)),
        (_, _, Some("TK004")) => AppendError::ActorEnded(end_in_detail(&**inside)),
        (_, _, Some("TK003")) => AppendError::ReservationLost,
        // A value that a column cannot hold, or a row twice: the fault of one submission.
        (_, constraint, Some(code)) if ["21", "22", "23"].iter().any(|it| code.starts_with(it)) => {
            AppendError::Refused(constraint.unwrap_or(code).to_owned())
        }
        _ => AppendError::Unavailable(error.to_string()),
    }
}

/// The account that our own functions name beside what they raise.
fn account_in_detail(raised: &dyn DatabaseError) -> AccountId {
    let id = detail(raised).and_then(|id| id.parse::<Uuid>().ok());
    id.unwrap_or_default().into()
}

/// Why a token does not work, as our own functions name it beside what they raise.
fn end_in_detail(raised: &dyn DatabaseError) -> Verdict {
    match detail(raised) {
        Some("suspended") => Verdict::Suspended,
        Some(account) if account.starts_with("account_") => Verdict::AccountSuspended,
        _ => Verdict::Revoked,
    }
}

fn detail(raised: &dyn DatabaseError) -> Option<&str> {
    let raised = raised.try_downcast_ref::<PgDatabaseError>();
    raised.and_then(PgDatabaseError::detail)
}
