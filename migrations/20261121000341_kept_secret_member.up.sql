-- By which name the secret is shown that `body` holds as null; null where the answer has none. An
-- answer whose secret was never sealed, for want of a key, is so told from one without a secret.
-- How long a sealed one may be shown is by the clock of the database, like all times of this table.
alter table idempotency_keys
    add column secret_member text,
    add constraint idempotency_keys_secret_named check (
        (sealed is null or secret_member is not null)
        and (secret_member is null or body is not null)
    );

create or replace function project_idempotency_keys(rows jsonb) returns void language plpgsql as $$
declare
    written integer;
begin
    update idempotency_keys as k
    set status = r.status, headers = r.headers, body = r.body, sealed = r.sealed,
        sealed_until = case when r.sealed is not null
            then clock_timestamp() + interval '10 minutes' end,
        secret_member = r.secret_member
    from jsonb_populate_recordset(null::idempotency_keys, rows) as r
    where k.caller = r.caller and k.route = r.route and k.key = r.key and k.holder = r.holder
        and k.status is null;
    get diagnostics written = row_count;
    if written <> jsonb_array_length(rows) then
        raise exception 'the reservation of the key is lost' using errcode = 'TK003';
    end if;
end
$$;
