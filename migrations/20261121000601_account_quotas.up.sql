-- How many uses all tokens of an account together have, in the form that tokens have their quotas in,
-- and the greatest generation that any of them ever had: an account is read from its row, and the next
-- one must be new. None at all is no bound.
alter table accounts
    add column quotas jsonb not null default '[]'
        constraint accounts_quotas_check check (quotas_are_sound(quotas)),
    add column quota_generation integer not null default 0
        constraint accounts_quota_generation_check check (quota_generation >= 0);

-- A process of before knows nothing of the columns: see `token_rate_limits`. The rest is as it was.
create or replace function project_accounts(rows jsonb) returns void language sql as $$
    insert into accounts
    select r.*
    from jsonb_populate_recordset(
        jsonb_populate_record(
            null::accounts, '{"rate_limits": [], "quotas": [], "quota_generation": 0}'
        ),
        rows
    ) as r order by r.id
    on conflict (id) do update set
        external_id = excluded.external_id,
        identity_issuer = excluded.identity_issuer,
        identity_subject = excluded.identity_subject,
        role = excluded.role,
        state = excluded.state,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        version = excluded.version,
        token_limit = excluded.token_limit,
        rate_limits = excluded.rate_limits,
        quotas = excluded.quotas,
        quota_generation = excluded.quota_generation;

    insert into account_erasures (account_id, deleted_at, due_at)
    select r.id, r.updated_at, r.updated_at
    from jsonb_populate_recordset(null::accounts, rows) as r
    where r.state = 'deleted'
    on conflict (account_id) do nothing;

    update idempotency_keys as k
    set body = (k.body::jsonb || '{"name": null, "email": null}')::text, profile_of = null
    from jsonb_populate_recordset(null::accounts, rows) as r
    where r.state = 'deleted' and k.profile_of = r.id;
$$;
