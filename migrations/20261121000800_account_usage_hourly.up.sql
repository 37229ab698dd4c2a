-- Usage of whole accounts by hour, for charts of all their tokens: as many rows as an account has
-- endpoints, however many tokens it has. The sums of the hourly rows of its tokens, written with them,
-- and told apart by verdict as well.
create table account_usage_hourly (
    account_id   uuid        not null,
    bucket       timestamptz not null,
    -- As in api_token_usage_hourly, like what follows: what is beyond a token's cap is '(other)' here too.
    endpoint     text        not null,
    method       text        not null,
    status_class smallint    not null,
    -- What the check came to; -1 where that is not known, as the rows were not kept.
    verdict      smallint    not null,
    requests     bigint      not null,
    errors       bigint      not null,
    latency      bigint[]    not null,
    constraint account_usage_hourly_pkey
        primary key (account_id, bucket, endpoint, method, status_class, verdict),
    constraint account_usage_hourly_bucket_is_hour
        check (extract(epoch from bucket)::bigint % 3600 = 0),
    constraint account_usage_hourly_counts_sane check (requests > 0 and errors between 0 and requests),
    constraint account_usage_hourly_status_class_known check (status_class between 0 and 5),
    constraint account_usage_hourly_latency_width check (cardinality(latency) = 24)
);
