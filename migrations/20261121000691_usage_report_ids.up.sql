-- The ids by which clients report calls, for at least 14 days: a call that is reported again under the
-- same id of the same account is known, however far the first report has got. The row comes in the
-- transaction of the report, so there is no moment at which an id is seen and its call is not stored.
create table usage_report_ids (
    account_id  uuid        not null,
    -- The client's own. Sorted by bytes, so that two calls that report the same ids wait for one another
    -- in one order, whatever the database's language is.
    client_id   text        collate "C" not null,
    received_at timestamptz not null,
    primary key (account_id, client_id),
    constraint usage_report_ids_length check (octet_length(client_id) between 1 and 64)
);

-- Serves the removal of those whose time is over.
create index usage_report_ids_received on usage_report_ids (received_at);
