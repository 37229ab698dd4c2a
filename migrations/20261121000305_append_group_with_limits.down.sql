drop function append_group(
    uuid[], uuid[], uuid[], integer[], integer[], uuid[], text[], uuid[], bigint[], uuid[], text[],
    integer[], bytea[], text[], text[], timestamptz[], bytea[], jsonb
);
drop function lock_accounts(uuid[], uuid[], uuid[], integer[], integer[]);

create or replace function project(projections jsonb) returns void language plpgsql as $$
begin
    if projections ? 'accounts' then
        perform project_accounts(projections -> 'accounts');
    end if;
    if projections ? 'account_profiles' then
        perform project_account_profiles(projections -> 'account_profiles');
    end if;
    if projections ? 'api_tokens' then
        perform project_api_tokens(projections -> 'api_tokens');
    end if;
    if projections ? 'api_token_secrets' then
        perform project_api_token_secrets(projections -> 'api_token_secrets');
    end if;
end
$$;

-- Locks `ids` for the length of the transaction: those in `changing` against everybody, the others
-- against change. Raises TK001 with the id as detail where one that must be active is not.
create function lock_accounts(active uuid[], changing uuid[]) returns void language plpgsql as $$
declare
    account uuid;
    found_state text;
begin
    for account in
        select distinct id from unnest(active || changing) as id order by id
    loop
        if account = any (changing) then
            select state into found_state from accounts where id = account for update;
        else
            select state into found_state from accounts where id = account for share;
        end if;
        if account = any (active) and found_state is distinct from 'active' then
            raise exception 'account is not active' using errcode = 'TK001', detail = account;
        end if;
    end loop;
end
$$;

-- The hash of an event is SHA-256 over the previous hash, the position and the time of recording
-- in microseconds (eight bytes each, big-endian), and the SHA-256 of its canonical envelope.
create function append_group(
    active_accounts   uuid[],
    changing_accounts uuid[],
    event_ids         uuid[],
    stream_types      text[],
    stream_ids        uuid[],
    stream_versions   bigint[],
    types             text[],
    schema_versions   integer[],
    payloads          bytea[],
    actors            text[],
    request_ids       text[],
    occurred_ats      timestamptz[],
    digests           bytea[],
    projections       jsonb,
    out first_position bigint,
    out head_hash      bytea,
    out recorded       timestamptz
) language plpgsql set lock_timeout = '3s' as $$
declare
    micros bytea;
    hashes bytea[];
    count  integer := cardinality(event_ids);
begin
    perform lock_accounts(active_accounts, changing_accounts);

    select h.position + 1, h.hash, greatest(h.recorded_at, clock_timestamp())
    into strict first_position, head_hash, recorded
    from event_log_head as h for update;

    micros := int8send((extract(epoch from recorded) * 1000000)::bigint);
    for i in 1 .. count loop
        head_hash := sha256(head_hash || int8send(first_position + i - 1) || micros || digests[i]);
        hashes[i] := head_hash;
    end loop;

    insert into events
    select first_position + e.n - 1, e.event_id, e.stream_type, e.stream_id, e.stream_version,
        e.type, e.schema_version, e.payload, e.actor, e.request_id, e.occurred_at, recorded, e.hash
    from unnest(
        event_ids, stream_types, stream_ids, stream_versions, types, schema_versions, payloads,
        actors, request_ids, occurred_ats, hashes
    ) with ordinality as e (
        event_id, stream_type, stream_id, stream_version, type, schema_version, payload,
        actor, request_id, occurred_at, hash, n
    );

    perform project(projections);

    update event_log_head
    set position = first_position + count - 1, hash = head_hash, recorded_at = recorded;
end
$$;
