//! `audit_refusals`: attempts that were refused, summed up by whoever refused them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// Attempts that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The number that its process gave it.
    pub serial: i64,
    /// When the first was refused.
    pub first_at: DateTime<Utc>,
    /// And the last.
    pub last_at: DateTime<Utc>,
    /// How many there are so far, those that were written before among them.
    pub count: i64,
    /// Whose credential it was, where that is known.
    pub actor: Option<String>,
    /// Their account.
    pub account_id: Option<Uuid>,
    /// The network that one of them came from.
    pub network: Option<String>,
    /// Method and route, status and code; none for attempts that are too many to be told apart.
    pub refused: Option<(String, i16, &'static str)>,
    /// What one of them was about.
    pub subject_id: Option<Uuid>,
    /// The request of that one.
    pub request_id: Option<String>,
}

/// Writes them down for this run of a process, all or none. May be repeated, and overtaken by a later one.
///
/// # Errors
/// If the database does not answer.
pub async fn write(
    db: impl PgExecutor<'_>,
    run_id: Uuid,
    refusals: &[Refusal],
) -> Result<(), sqlx::Error> {
    fn column<T>(refusals: &[Refusal], of: impl Fn(&Refusal) -> T) -> Vec<T> {
        refusals.iter().map(of).collect()
    }
    let all = refusals;
    sqlx::query!(
        "insert into audit_refusals (
            run_id, serial, first_at, last_at, count, actor, account_id, network, operation, status,
            code, subject_id, request_id
        )
        select $1, * from unnest(
            $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::text[], $7::uuid[],
            $8::text[], $9::text[], $10::smallint[], $11::text[], $12::uuid[], $13::text[]
        )
        on conflict (run_id, serial) do update set
            last_at = greatest(audit_refusals.last_at, excluded.last_at),
            count = greatest(audit_refusals.count, excluded.count)",
        run_id,
        &column(all, |it| it.serial),
        &column(all, |it| it.first_at),
        &column(all, |it| it.last_at),
        &column(all, |it| it.count),
        &column(all, |it| it.actor.clone()) as &[Option<String>],
        &column(all, |it| it.account_id) as &[Option<Uuid>],
        &column(all, |it| it.network.clone()) as &[Option<String>],
        &column(all, |it| it.refused.as_ref().map(|(operation, ..)| operation.clone()))
            as &[Option<String>],
        &column(all, |it| it.refused.as_ref().map(|(_, status, _)| *status)) as &[Option<i16>],
        &column(all, |it| it.refused.as_ref().map(|(.., code)| (*code).to_owned()))
            as &[Option<String>],
        &column(all, |it| it.subject_id) as &[Option<Uuid>],
        &column(all, |it| it.request_id.clone()) as &[Option<String>],
    )
    .execute(db)
    .await?;
    Ok(())
}
