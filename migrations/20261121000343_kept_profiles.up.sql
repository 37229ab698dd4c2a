-- The account whose name and e-mail address `body` shows; null where it shows none. They are erased
-- from a kept answer in the transaction that deletes the account, as its profile is.
alter table idempotency_keys
    add column profile_of uuid,
    add constraint idempotency_keys_profile_shown check (profile_of is null or body is not null);

create index idempotency_keys_profile_of on idempotency_keys (profile_of)
    where profile_of is not null;

create or replace function project_idempotency_keys(rows jsonb) returns void language plpgsql as $$
declare
    written integer;
begin
    update idempotency_keys as k
    set status = r.status, headers = r.headers, body = r.body, sealed = r.sealed,
        sealed_until = case when r.sealed is not null
            then clock_timestamp() + interval '10 minutes' end,
        secret_member = r.secret_member, profile_of = r.profile_of
    from jsonb_populate_recordset(null::idempotency_keys, rows) as r
    where k.caller = r.caller and k.route = r.route and k.key = r.key and k.holder = r.holder
        and k.status is null;
    get diagnostics written = row_count;
    if written <> jsonb_array_length(rows) then
        raise exception 'the reservation of the key is lost' using errcode = 'TK003';
    end if;
end
$$;

create or replace function project_accounts(rows jsonb) returns void language sql as $$
    insert into accounts
    select r.* from jsonb_populate_recordset(null::accounts, rows) as r order by r.id
    on conflict (id) do update set
        external_id = excluded.external_id,
        identity_issuer = excluded.identity_issuer,
        identity_subject = excluded.identity_subject,
        role = excluded.role,
        state = excluded.state,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        version = excluded.version,
        token_limit = excluded.token_limit;

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
