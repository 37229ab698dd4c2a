//! How complete usage is: what each source has given out (`usage_reporters`, `usage_sources`) beside
//! what the ledger holds of it. A source is one lane of one run of a process.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// A process that was not heard of for this long has vanished. It makes a mark every second.
const SILENCE_SECONDS: f64 = 10.0;

/// What is known of one source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// The source.
    pub source: Uuid,
    /// The run it belongs to; `None` where nobody has marked it, as nodes of versions that did not yet.
    pub reporter_id: Option<Uuid>,
    /// The name of that run's machine.
    pub reporter_name: Option<String>,
    /// When that run began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended in good order.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether it was heard of lately.
    pub is_heard_of: bool,
    /// When the last mark was made.
    pub marked_at: Option<DateTime<Utc>>,
    /// The last number that was given out by then.
    pub appended: Option<i64>,
    /// The last number that was ever given out, once that is known.
    pub final_number: Option<i64>,
    /// When something of it last came.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// How many events are counted.
    pub counted: i64,
    /// How many are dead letters.
    pub dead: i64,
    /// How many were dropped because a spool was full.
    pub dropped: i64,
    /// The highest number that is settled, zero if none is.
    pub highest: i64,
    /// Whether everything is settled and nothing can follow.
    pub is_complete: bool,
    /// Everything that was answered before this is settled; `None` where that is not known.
    pub complete_through: Option<DateTime<Utc>>,
}

/// Numbers of a source that the ledger does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The source.
    pub source: Uuid,
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
}

/// How complete all usage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The database's time.
    pub as_of: DateTime<Utc>,
    /// Everything that was answered before this, by processes that make marks, is settled.
    pub complete_through: DateTime<Utc>,
    /// How many sources are not complete.
    pub incomplete: i64,
    /// How many of those belong to a process that vanished: what it appended last is not known.
    pub vanished: i64,
    /// How many of those nobody has marked: up to where they are complete is not known.
    pub unmarked: i64,
}

/// Begins to read what must fit together.
///
/// # Errors
/// If the database does not answer.
pub async fn snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with("begin isolation level repeatable read read only")
        .await
}

/// Sources from the newest to the oldest, `limit` of them, those before `before`.
///
/// # Errors
/// If the database does not answer.
pub async fn sources(
    db: impl PgExecutor<'_>,
    only_incomplete: bool,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SourceRow>, sqlx::Error> {
    sqlx::query_as!(
        SourceRow,
        r#"select source as "source!", reporter_id, reporter_name, started_at, ended_at,
            coalesce(seen_at > now() - make_interval(secs => $1), false) as "is_heard_of!",
            marked_at, appended, final_number, last_seen_at,
            coalesce(counted, 0)::bigint as "counted!", coalesce(dead, 0)::bigint as "dead!",
            coalesce(dropped, 0)::bigint as "dropped!", coalesce(highest, 0) as "highest!",
            is_complete as "is_complete!", complete_through
        from usage_completeness
        left join lateral (
            select sum(last - first + 1) filter (where outcome = 'counted') as counted,
                sum(last - first + 1) filter (where outcome = 'dead') as dead,
                sum(last - first + 1) filter (where outcome = 'dropped') as dropped,
                max(last) as highest
            from usage_ledger where usage_ledger.source = usage_completeness.source
        ) as settled on true
        where ($2::uuid is null or source < $2) and not ($3 and is_complete)
        order by source desc limit $4"#,
        SILENCE_SECONDS,
        before,
        only_incomplete,
        limit,
    )
    .fetch_all(db)
    .await
}

/// What the ledger lacks of each source up to the number given with it, in order.
///
/// # Errors
/// If the database does not answer.
pub async fn gaps(
    db: impl PgExecutor<'_>,
    sources: &[(Uuid, i64)],
) -> Result<Vec<Gap>, sqlx::Error> {
    let (sources, numbers): (Vec<Uuid>, Vec<i64>) = sources.iter().copied().unzip();
    sqlx::query_as!(
        Gap,
        r#"select wanted.source as "source!", gap.first as "first!", gap.last as "last!"
        from unnest($1::uuid[], $2::bigint[]) as wanted (source, number)
        cross join lateral (
            select last + 1 as first, lead(first, 1, wanted.number + 1) over (order by first) - 1 as last
            from (
                select 0::bigint as first, 0::bigint as last
                union all
                select first, last from usage_ledger
                where usage_ledger.source = wanted.source and first <= wanted.number
            ) as ranges
        ) as gap
        where gap.first <= gap.last
        order by gap.first"#,
        &sources,
        &numbers,
    )
    .fetch_all(db)
    .await
}

/// How complete all usage is.
///
/// # Errors
/// If the database does not answer.
pub async fn summary(db: impl PgExecutor<'_>) -> Result<Summary, sqlx::Error> {
    sqlx::query_as!(
        Summary,
        r#"select now() as "as_of!",
            least(
                min(complete_through),
                -- A replica speaks of the moment up to which it has followed.
                case when pg_is_in_recovery()
                    then coalesce(pg_last_xact_replay_timestamp(), to_timestamp(0)) else now() end
            ) as "complete_through!",
            count(*) as "incomplete!",
            count(*) filter (where seen_at <= now() - make_interval(secs => $1)
                and ended_at is null and final_number is null) as "vanished!",
            count(*) filter (where reporter_id is null) as "unmarked!"
        from usage_completeness where not is_complete"#,
        SILENCE_SECONDS,
    )
    .fetch_one(db)
    .await
}

/// How many events were given out by processes that have ended or vanished and are not in the ledger,
/// of the newest 1,000 sources of which some are missing.
///
/// # Errors
/// If the database does not answer.
pub async fn missing(db: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(sum(greatest(final_number, appended, highest) - held), 0)::bigint as "missing!"
        from (
            select source, final_number, appended
            from usage_completeness
            where not is_complete and (final_number is not null or ended_at is not null
                or seen_at <= now() - make_interval(secs => $1))
            order by source desc limit 1000
        ) as gone
        cross join lateral (
            select coalesce(sum(last - first + 1), 0) as held, max(last) as highest
            from usage_ledger where usage_ledger.source = gone.source
        ) as settled"#,
        SILENCE_SECONDS,
    )
    .fetch_one(db)
    .await
}
