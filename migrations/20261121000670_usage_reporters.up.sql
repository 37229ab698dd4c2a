-- How far each process that reports usage had got when it was last heard of. What the ledger lacks of
-- that is missing or on its way; what a process that vanished appended after it is known to nobody, and
-- this is where that begins. One row for each run, written once a second, so room is left beside it.
create table usage_reporters (
    id               uuid        primary key,
    name             text        not null,
    started_at       timestamptz not null,
    -- When it was last heard of, by the database's clock.
    seen_at          timestamptz not null,
    -- Its lanes, and the last number that each had given out at marked_at, by its own clock: every call
    -- that it had answered by then is among them.
    sources          uuid[]      not null,
    marked_at        timestamptz not null,
    appended         bigint[]    not null,
    -- An earlier mark, and the last one that was found settled. The next mark looks whether the earlier
    -- one is settled by now, and takes its place if so.
    checked_at       timestamptz not null,
    checked          bigint[]    not null,
    complete_through timestamptz not null,
    -- When it ended in good order; null while it runs, and for ever if it was killed.
    ended_at         timestamptz,
    constraint usage_reporters_numbers_for_sources
        check (cardinality(appended) = cardinality(sources) and cardinality(checked) = cardinality(sources))
) with (fillfactor = 50);
