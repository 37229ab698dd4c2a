//! An audit log in which each question means many lines, or few.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Executor, PgConnection};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::audit::AuditFilter;
use uuid::Uuid;

/// The first event was recorded then, and three each second after it.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub(crate) fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

pub(crate) fn everything() -> AuditFilter {
    AuditFilter {
        actor: None,
        action: None,
        outcome: None,
        account: None,
        subject: None,
        since: beginning() - TimeDelta::days(1),
        until: None,
    }
}

/// So many events, and a tenth as many of the others, at the same moments.
pub(crate) async fn fill(db: &mut PgConnection, events: i64) {
    sqlx::query(
        "insert into events (position, event_id, stream_type, stream_id, stream_version, type,
            schema_version, payload, actor, request_id, occurred_at, recorded_at, hash, account_id)
        select n, gen_random_uuid(), 'token', lpad(to_hex(n / 4), 32, '0')::uuid, 1 + n % 4,
            case when n % 5000 = 17 then 'TokenRevoked' else 'TokenIssued' end, 1, '{}',
            case when n % 4000 = 3 then 'operator:rare' else 'operator:usual' end, 'r' || n,
            at, at, sha256('x'), lpad(to_hex(n % 100), 32, '0')::uuid
        from generate_series(1, $2) as n, lateral (select $1 + (n / 3) * interval '1 second') as t (at)",
    )
    .bind(beginning())
    .bind(events)
    .execute(&mut *db)
    .await
    .unwrap();
    sqlx::query(
        "insert into audit_entries
            (recorded_at, actor, action, account_id, subject_type, subject_id, request_id)
        select $1 + (n * 10 / 3) * interval '1 second',
            case when n % 400 = 3 then 'operator:rare' else 'operator:usual' end,
            case when n % 500 = 9 then 'WebhookDeleted' else 'WebhookCreated' end,
            lpad(to_hex(n % 100), 32, '0')::uuid, 'webhook', lpad(to_hex(n), 32, '0')::uuid, 'r' || n
        from generate_series(1, $2 / 10) as n",
    )
    .bind(beginning())
    .bind(events)
    .execute(&mut *db)
    .await
    .unwrap();
    sqlx::query(
        "insert into audit_refusals (run_id, serial, first_at, last_at, count, actor, account_id,
            network, operation, status, code, subject_id, request_id)
        select lpad('1', 32, '0')::uuid, n, at, at + interval '9 seconds', n,
            case when n % 400 = 3 then 'operator:rare' when n % 2 = 0 then 'operator:usual' end,
            case when n % 2 = 0 then lpad(to_hex(n % 100), 32, '0')::uuid end, '192.0.2.0/24',
            case when n % 7 = 0 then null when n % 500 = 9 then 'DELETE /v1/tokens/{id}'
                else 'GET /v1/tokens' end,
            case when n % 7 > 0 then 403 end, case when n % 7 > 0 then 'INSUFFICIENT_SCOPE' end,
            lpad(to_hex(n), 32, '0')::uuid, 'r' || n
        from generate_series(1, $2 / 10) as n,
            lateral (select $1 + (n * 10 / 3) * interval '1 second') as t (at)",
    )
    .bind(beginning())
    .bind(events)
    .execute(&mut *db)
    .await
    .unwrap();
    sqlx::query("update event_log_head set position = $1")
        .bind(events)
        .execute(&mut *db)
        .await
        .unwrap();
    db.execute("analyze").await.unwrap();
}
