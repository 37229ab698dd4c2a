-- One row per source: one spool lane of one run of a reporting process. Its row lock, held to the
-- commit, puts all ingestors that write for the same source into one line, so that what an ingestor
-- read in the ledger is still true when it counts.
create table usage_sources (
    source         uuid        primary key,
    first_seen_at  timestamptz not null default now(),
    last_seen_at   timestamptz not null default now(),
    -- The last number the source ever gave out, once it has said so. Null while it may still grow.
    final_sequence bigint      constraint usage_sources_final_sequence_positive check (final_sequence >= 0)
);
