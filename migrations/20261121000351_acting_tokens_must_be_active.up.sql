-- A request is let in with a token that is active then, and may wait for its turn: until what it
-- wants is written, the token can have been revoked or suspended, or its account. Under the lock of
-- the log's head that is known for sure. What only takes something away is written all the same.
-- Raises TK004 with what ended as detail.
create function check_acting_tokens(actors text[], types text[]) returns void
language plpgsql as $$
declare
    ended text;
begin
    select case
            when t.state <> 'active' then t.state
            else 'account_' || a.state
        end
    into ended
    from unnest(actors, types) as e (actor, type)
        join api_tokens as t
            on t.id = case when e.actor like 'token:%' then substr(e.actor, 7)::uuid end
        join accounts as a on a.id = t.account_id
    where e.type not in ('TokenRevoked', 'TokenSuspended')
        and (t.state <> 'active' or a.state <> 'active')
    limit 1;
    if found then
        raise exception 'the token that was used is not active' using errcode = 'TK004', detail = ended;
    end if;
end
$$;

create or replace function append_group(
    active_accounts   uuid[],
    changing_accounts uuid[],
    limited_accounts  uuid[],
    additions         integer[],
    default_limits    integer[],
    event_ids         uuid[],
    stream_types      text[],
    stream_ids        uuid[],
    stream_versions   bigint[],
    account_ids       uuid[],
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
    perform lock_accounts(
        active_accounts, changing_accounts, limited_accounts, additions, default_limits
    );

    select h.position + 1, h.hash, greatest(h.recorded_at, clock_timestamp())
    into strict first_position, head_hash, recorded
    from event_log_head as h for update;

    perform check_acting_tokens(actors, types);

    micros := int8send((extract(epoch from recorded) * 1000000)::bigint);
    for i in 1 .. count loop
        head_hash := sha256(head_hash || int8send(first_position + i - 1) || micros || digests[i]);
        hashes[i] := head_hash;
    end loop;

    insert into events
    select first_position + e.n - 1, e.event_id, e.stream_type, e.stream_id, e.stream_version,
        e.type, e.schema_version, e.payload, e.actor, e.request_id, e.occurred_at, recorded,
        e.hash, e.account_id
    from unnest(
        event_ids, stream_types, stream_ids, stream_versions, types, schema_versions, payloads,
        actors, request_ids, occurred_ats, hashes, account_ids
    ) with ordinality as e (
        event_id, stream_type, stream_id, stream_version, type, schema_version, payload,
        actor, request_id, occurred_at, hash, account_id, n
    );

    perform project(projections);

    update event_log_head
    set position = first_position + count - 1, hash = head_hash, recorded_at = recorded;
end
$$;
