create or replace function project_idempotency_keys(rows jsonb) returns void language plpgsql as $$
declare
    written integer;
begin
    update idempotency_keys as k
    set status = r.status, headers = r.headers, body = r.body, sealed = r.sealed,
        sealed_until = r.sealed_until
    from jsonb_populate_recordset(null::idempotency_keys, rows) as r
    where k.caller = r.caller and k.route = r.route and k.key = r.key and k.holder = r.holder
        and k.status is null;
    get diagnostics written = row_count;
    if written <> jsonb_array_length(rows) then
        raise exception 'the reservation of the key is lost' using errcode = 'TK003';
    end if;
end
$$;

alter table idempotency_keys
    drop constraint idempotency_keys_secret_named,
    drop column secret_member;
