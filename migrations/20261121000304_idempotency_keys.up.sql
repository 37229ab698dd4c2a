-- What was answered to requests that carry an `Idempotency-Key`.
--
-- A request reserves its key before it begins, in a statement of its own, so that a second one is
-- told that the first is under way instead of waiting for it. The answer is written in the
-- transaction that appends the events: either both are there or neither. A reservation whose
-- holder died runs out.
create table idempotency_keys (
    caller         text        not null,
    route          text        not null,
    key            text        not null check (char_length(key) between 1 and 255),
    fingerprint    bytea       not null check (octet_length(fingerprint) = 32),
    holder         uuid        not null,
    reserved_until timestamptz not null,
    -- The answer, once there is one. A secret is not in `body` but sealed beside it.
    status         smallint    check (status between 200 and 299),
    headers        jsonb,
    body           jsonb,
    sealed         bytea,
    sealed_until   timestamptz,
    created_at     timestamptz not null,
    constraint idempotency_keys_pkey primary key (caller, route, key),
    constraint idempotency_keys_answer_whole check (
        (status is null) = (body is null) and (status is null) = (headers is null)
        and (sealed is null or body is not null) and (sealed is null) = (sealed_until is null)
    )
);

-- Old answers are removed by their age.
create index idempotency_keys_age on idempotency_keys (created_at);

-- Writes answers for those who still hold their key. Raises TK003 where somebody else has taken it
-- over since.
create function project_idempotency_keys(rows jsonb) returns void language plpgsql as $$
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
