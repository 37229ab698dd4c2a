-- Appending knows of three more things: the account that each event belongs to, accounts whose live
-- tokens are limited in number, and answers that are kept for a repeated request.

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
    if projections ? 'idempotency_keys' then
        perform project_idempotency_keys(projections -> 'idempotency_keys');
    end if;
end
$$;

drop function append_group(
    uuid[], uuid[], uuid[], text[], uuid[], bigint[], text[], integer[], bytea[], text[], text[],
    timestamptz[], bytea[], jsonb
);
drop function lock_accounts(uuid[], uuid[]);

-- Locks accounts for the length of the transaction, by id: those in `changing` against everybody,
-- those in `limited` against each other, the rest against change. Raises TK001 with the id as
-- detail where one that must be active is not, and TK002 where an account in `limited` would have
-- more live tokens with its `additions` than it may; `default_limits` hold where it has no limit of
-- its own, and null and 0 are no limit.
--
-- The tokens are counted after the lock is held, by a statement of its own and so on a snapshot of
-- its own: two that would both have fitted alone cannot both see the same count.
create function lock_accounts(
    active         uuid[],
    changing       uuid[],
    limited        uuid[],
    additions      integer[],
    default_limits integer[]
) returns void language plpgsql as $$
declare
    account     uuid;
    found_state text;
    own_limit   integer;
    most        integer;
    adding      integer;
    live        integer;
begin
    for account in
        select distinct id from unnest(active || changing || limited) as id order by id
    loop
        if account = any (changing) then
            select state, token_limit into found_state, own_limit
            from accounts where id = account for update;
        elsif account = any (limited) then
            select state, token_limit into found_state, own_limit
            from accounts where id = account for no key update;
        else
            select state, token_limit into found_state, own_limit
            from accounts where id = account for share;
        end if;
        if account = any (active) and found_state is distinct from 'active' then
            raise exception 'account is not active' using errcode = 'TK001', detail = account;
        end if;
        if account = any (limited) then
            select sum(l.adding), nullif(coalesce(own_limit, min(l.most)), 0) into adding, most
            from unnest(limited, additions, default_limits) as l (id, adding, most)
            where l.id = account;
            if most is not null then
                select count(*) into live from (
                    select from api_tokens as t
                    where t.account_id = account and t.state <> 'revoked'
                        and (t.expires_at is null or t.expires_at > clock_timestamp())
                    limit most
                ) as counted;
                if live + adding > most then
                    raise exception 'account has too many tokens'
                        using errcode = 'TK002', detail = account;
                end if;
            end if;
        end if;
    end loop;
end
$$;

-- The hash of an event is SHA-256 over the previous hash, the position and the time of recording
-- in microseconds (eight bytes each, big-endian), and the SHA-256 of its canonical envelope.
create function append_group(
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
