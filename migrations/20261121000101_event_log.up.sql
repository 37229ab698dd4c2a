-- The log of everything that ever happened to tokens and accounts.
--
-- `position` comes from the one row of event_log_head, whose lock is held to the commit. Positions
-- are therefore contiguous, commit order is position order, and a reader sees a gap by arithmetic.
-- A sequence would let a reader pass a late commit for ever; a transaction-id horizon would stall
-- on a writer in another database of the same cluster.

create table event_log_head (
    singleton   boolean     primary key default true check (singleton),
    position    bigint      not null check (position >= 0),
    hash        bytea       not null check (octet_length(hash) = 32),
    recorded_at timestamptz not null
);

insert into event_log_head (position, hash, recorded_at)
values (0, decode(repeat('00', 32), 'hex'), 'epoch');

-- `payload` is kept as the exact canonical bytes (RFC 8785) that were hashed: jsonb would reorder
-- keys and rewrite numbers.
create table events (
    position       bigint      primary key check (position > 0),
    event_id       uuid        not null,
    stream_type    text        not null check (stream_type in ('token', 'account')),
    stream_id      uuid        not null,
    stream_version bigint      not null check (stream_version > 0),
    type           text        not null,
    schema_version integer     not null check (schema_version > 0),
    payload        bytea       not null,
    actor          text        not null,
    request_id     text        not null,
    occurred_at    timestamptz not null,
    recorded_at    timestamptz not null,
    hash           bytea       not null check (octet_length(hash) = 32),
    constraint events_event_id_key unique (event_id),
    constraint events_stream_version_key unique (stream_id, stream_version)
);

create function events_are_final() returns trigger language plpgsql as $$
begin
    raise exception 'events are never changed or removed' using errcode = 'TK009';
end
$$;

create trigger events_are_final before update or delete on events
    for each row execute function events_are_final();
create trigger events_are_not_truncated before truncate on events
    for each statement execute function events_are_final();
