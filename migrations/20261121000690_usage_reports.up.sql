-- Calls that happened elsewhere and were reported over the API, until an ingestor has counted them: it
-- takes the row out in the transaction that counts it, so a report is counted exactly once whoever is
-- killed when. The API writes here and never into the tables of usage, which keep one writer.
create table usage_reports (
    id          bigint      generated always as identity primary key,
    account_id  uuid        not null,
    received_at timestamptz not null,
    -- The event as it lies in spools and batches: one codec, and one set of limits to its texts.
    record      bytea       not null
);

-- Serves the erasure of an account. Few rows wait here, but for when no ingestor runs.
create index usage_reports_account on usage_reports (account_id);
