-- As it was: see `account_rate_limits`.
create or replace function project_accounts(rows jsonb) returns void language sql as $$
    insert into accounts
    select r.*
    from jsonb_populate_recordset(
        jsonb_populate_record(null::accounts, '{"rate_limits": []}'), rows
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
        rate_limits = excluded.rate_limits;

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

alter table accounts drop column quota_generation, drop column quotas;
