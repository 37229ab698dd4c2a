//! A cascade: a token ends, and all that descend from it.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgExecutor;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_event_store::Rows;
use uuid::Uuid;

use super::job::Running;
use crate::Reach;

/// Adds the row of a cascade that has begun at `now`, leased by whoever adds it.
pub fn begin_cascade(job: &Running, now: DateTime<Utc>, rows: &mut Rows) {
    rows.push(
        "revocation_jobs",
        json!({
            "id": job.id,
            "account_id": job.reach.account(),
            "root_id": job.root,
            "reason": job.reason,
            "state": "running",
            "actor": job.actor,
            "request_id": job.request_id,
            "created_at": now,
            "started_at": now,
        }),
    );
}

/// Writes the same row, for a root that was revoked before.
///
/// # Errors
/// If the database does not answer.
pub async fn begin_cascade_now(
    db: impl PgExecutor<'_>,
    job: &Running,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut rows = Rows::default();
    begin_cascade(job, now, &mut rows);
    sqlx::query!(
        r#"select project_revocation_jobs($1::jsonb -> 'revocation_jobs') as "done: ()""#,
        rows.into_json(),
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Adds the tokens within reach that descend from the root of a cascade and are not revoked: those
/// that were issued with it and those whose current secret it was given, directly or through others.
/// Tells how many are new.
///
/// # Errors
/// If the database does not answer.
pub async fn add_descendants(
    db: impl PgExecutor<'_>,
    job: Uuid,
    root: TokenId,
    reach: Reach,
) -> Result<u64, sqlx::Error> {
    // `union` drops what was seen before, so not even a circle would go round for ever.
    let added = sqlx::query!(
        "with recursive descendants as (
            select $2::uuid as id
            union
            select next.id from descendants as d cross join lateral (
                select id from api_tokens where issued_by = d.id
                union all
                select r.stream_id from events as r
                where r.type = 'TokenRotated' and r.actor like 'token:%'
                    and r.actor = 'token:' || d.id
                    and not exists (
                        select from events as later
                        where later.stream_id = r.stream_id
                            and later.stream_version > r.stream_version
                            and later.type = 'TokenRotated'
                    )
            ) as next
        )
        insert into revocation_job_tokens (job_id, token_id)
        select $1, t.id from api_tokens as t join descendants as d on d.id = t.id
        where t.state <> 'revoked' and t.id <> $2 and ($3::uuid is null or t.account_id = $3)
        on conflict do nothing",
        job,
        root.0,
        reach.account(),
    )
    .execute(db)
    .await?;
    Ok(added.rows_affected())
}
