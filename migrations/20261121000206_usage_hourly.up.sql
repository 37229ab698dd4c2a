-- Usage by hour, for charts and breakdowns that must not read raw rows. The endpoint is a template
-- (identifiers folded to {id}), and a token has at most about a hundred of them an hour; the rest
-- counts under '(other)'.
create table api_token_usage_hourly (
    token_id     uuid        not null,
    bucket       timestamptz not null,
    endpoint     text        not null,
    method       text        not null,
    -- The first digit of the status, 0 where it has none of 1 to 5.
    status_class smallint    not null,
    requests     bigint      not null,
    -- Calls that were refused or answered with a status of 400 or above.
    errors       bigint      not null,
    -- See usage_histogram_add for the bounds.
    latency      bigint[]    not null,
    constraint api_token_usage_hourly_pkey
        primary key (token_id, bucket, endpoint, method, status_class),
    constraint api_token_usage_hourly_bucket_is_hour
        check (extract(epoch from bucket)::bigint % 3600 = 0),
    constraint api_token_usage_hourly_counts_sane check (requests > 0 and errors between 0 and requests),
    constraint api_token_usage_hourly_status_class_known check (status_class between 0 and 5),
    constraint api_token_usage_hourly_latency_width check (cardinality(latency) = 24)
);
