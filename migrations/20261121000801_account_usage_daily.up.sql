-- The same by UTC day: the sums of the hours.
create table account_usage_daily (
    account_id   uuid        not null,
    bucket       timestamptz not null,
    endpoint     text        not null,
    method       text        not null,
    status_class smallint    not null,
    verdict      smallint    not null,
    requests     bigint      not null,
    errors       bigint      not null,
    latency      bigint[]    not null,
    constraint account_usage_daily_pkey
        primary key (account_id, bucket, endpoint, method, status_class, verdict),
    constraint account_usage_daily_bucket_is_day
        check (extract(epoch from bucket)::bigint % 86400 = 0),
    constraint account_usage_daily_counts_sane check (requests > 0 and errors between 0 and requests),
    constraint account_usage_daily_status_class_known check (status_class between 0 and 5),
    constraint account_usage_daily_latency_width check (cardinality(latency) = 24)
);
