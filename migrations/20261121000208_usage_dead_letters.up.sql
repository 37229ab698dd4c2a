-- What could not be counted, kept raw with its reason, so that nothing is ever skipped silently.
create table usage_dead_letters (
    id          bigint      generated always as identity primary key,
    received_at timestamptz not null,
    -- Null where the message did not even say whose it is.
    source      uuid,
    first       bigint,
    last        bigint,
    -- undecodable: the message or record does not parse. refused: a constraint of the database said
    -- no. overlap: the range straddles another one that is already settled.
    reason      text        not null constraint usage_dead_letters_reason_known
                            check (reason in ('undecodable', 'refused', 'overlap')),
    detail      text        not null,
    -- What the payload is: a whole message or one record.
    kind        text        not null constraint usage_dead_letters_kind_known
                            check (kind in ('message', 'record')),
    subject     text        not null,
    payload     bytea       not null,
    constraint usage_dead_letters_range_whole
        check ((first is null) = (last is null) and (first is null or last >= first))
);

create index usage_dead_letters_source on usage_dead_letters (source, first);
