//! Many tokens to choose from.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Executor, PgConnection};
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

/// More than a page looks at, several times over.
pub(crate) const TOKENS: i64 = 9000;

/// The first token is this old; one a minute follows.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub(crate) fn now() -> DateTime<Utc> {
    beginning() + TimeDelta::minutes(TOKENS)
}

pub(crate) fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

/// Tokens in which each filter means many, or few among the old or the new ones.
pub(crate) async fn fill(db: &mut PgConnection, tokens: i64) {
    db.execute(
        "insert into accounts (id, role, state, created_at, updated_at, version)
        select lpad(n::text, 32, '0')::uuid, 'user', 'active', now(), now(), 1
        from generate_series(1, 3) as n",
    )
    .await
    .unwrap();
    sqlx::query(
        "insert into api_tokens (id, account_id, name, environment, token_prefix, scopes, metadata,
            expires_at, state, revocation_reason, revoked_at, issued_by, created_at, updated_at,
            version)
        select id,
            lpad((case when n % 2000 = 7 then 3 when n > 8000 then 2 else 1 end)::text, 32, '0')::uuid,
            case when n % 3000 = 5 then 'Éric''s 50%_off key' else 'worker ' || n end,
            case when n % 1500 = 3 or n < 40 then 'test' else 'live' end,
            'tk_live_' || lpad(to_hex(n % 500), 4, '0'),
            case when n < 3000 then array['old', 'all'] when n % 1800 = 2 then array['rare', 'all']
                else array['all'] end,
            '{}',
            case when n % 3 = 0 then null when n < 2500 then $1 + n * interval '1 second'
                else $2 + n * interval '1 hour' end,
            state, case when state = 'revoked' then 'unspecified' end,
            case when state = 'revoked' then at end,
            case when n % 1000 = 0 then lpad('ff', 32, '0')::uuid end,
            at, at, 1
        from generate_series(1, $3) as n,
            lateral (select $1 + n * interval '1 minute') as t (at),
            lateral (select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
                || '70008' || lpad(to_hex(n), 15, '0'))::uuid) as i (id),
            lateral (select case when n % 900 = 4 then 'revoked' when n % 1100 = 9 then 'suspended'
                when n between 100 and 2900 and n % 2 = 0 then 'revoked' else 'active' end) as s (state)",
    )
    .bind(beginning())
    .bind(now())
    .bind(tokens)
    .execute(&mut *db)
    .await
    .unwrap();
    db.execute(
        "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
        select id, 3, created_at + interval '1 day' from api_tokens where id::text like '%a';
        analyze",
    )
    .await
    .unwrap();
}
