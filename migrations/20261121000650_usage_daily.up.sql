-- Usage by UTC day, for long ranges: the sums of the hourly rows, written with them. Endpoints are
-- those that the hours admitted, so a day has at most those of its hours together.
create table api_token_usage_daily (
    token_id     uuid        not null,
    bucket       timestamptz not null,
    endpoint     text        not null,
    method       text        not null,
    -- As in api_token_usage_hourly, like all that follows.
    status_class smallint    not null,
    requests     bigint      not null,
    errors       bigint      not null,
    latency      bigint[]    not null,
    constraint api_token_usage_daily_pkey
        primary key (token_id, bucket, endpoint, method, status_class),
    constraint api_token_usage_daily_bucket_is_day
        check (extract(epoch from bucket)::bigint % 86400 = 0),
    constraint api_token_usage_daily_counts_sane check (requests > 0 and errors between 0 and requests),
    constraint api_token_usage_daily_status_class_known check (status_class between 0 and 5),
    constraint api_token_usage_daily_latency_width check (cardinality(latency) = 24)
);
