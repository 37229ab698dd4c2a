-- Every single call, for as long as raw usage is kept. Partitioned by the UTC day of the event's
-- timestamp: retention drops whole days and never deletes rows.
--
-- No unique index: the ledger keeps duplicates out by ranges, at no cost per row. No default
-- partition: it would block the creation of new days behind every long read. No foreign key to the
-- tokens: usage arrives on its own road and must never wait for, or fail because of, another table.
create table api_token_usage (
    token_id         uuid        not null,
    account_id       uuid        not null,
    "timestamp"      timestamptz not null,
    token_version    bigint      not null,
    response_time_us bigint      not null,
    status           smallint    not null,
    -- The verdict's stored number; 0 is VALID.
    verdict          smallint    not null,
    -- Whether the reporter's timestamp was out of bounds and replaced by the time of arrival.
    timestamp_replaced boolean   not null,
    method           text        not null,
    endpoint         text        not null,
    user_agent       text        not null,
    ip               inet,
    constraint api_token_usage_endpoint_length check (octet_length(endpoint) <= 512),
    constraint api_token_usage_method_length check (octet_length(method) <= 16),
    constraint api_token_usage_user_agent_length check (octet_length(user_agent) <= 256),
    constraint api_token_usage_verdict_known check (verdict between 0 and 13),
    constraint api_token_usage_response_time_positive check (response_time_us >= 0)
) partition by range ("timestamp");

-- Serves "the calls of one token, newest first" and retention by account through its tokens.
create index api_token_usage_token_timestamp on api_token_usage (token_id, "timestamp");

-- Rows arrive nearly in time order, so a few kilobytes serve any range of time.
create index api_token_usage_timestamp on api_token_usage using brin ("timestamp");
