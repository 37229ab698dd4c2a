-- What has been settled, as ranges of sequence numbers. Written in the transaction that counts the
-- events, so a range is here exactly if its events have been counted (or set aside). Neighbouring
-- ranges of one outcome are merged by the writer: the table stays a few rows per source.
create table usage_ledger (
    source  uuid     not null constraint usage_ledger_source_known references usage_sources (source),
    first   bigint   not null constraint usage_ledger_first_positive check (first >= 1),
    last    bigint   not null,
    -- counted: in the raw rows, rollups and totals. dead: in usage_dead_letters.
    -- dropped: never sent, the reporter's spool was full.
    outcome text     not null constraint usage_ledger_outcome_known
                     check (outcome in ('counted', 'dead', 'dropped')),
    constraint usage_ledger_pkey primary key (source, first),
    constraint usage_ledger_range_ordered check (last >= first),
    -- Counting an event twice is refused by the database itself, whatever the writer believes.
    constraint usage_ledger_no_overlap
        exclude using gist (source with =, int8range(first, last, '[]') with &&)
);
