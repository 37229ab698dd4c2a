-- How often each token of an account was used on a UTC day: the sums of its rows in
-- api_token_usage_daily, written with them. It tells which tokens of an account were used in a time, and
-- which of them most, among however many there are.
create table account_token_usage_daily (
    account_id uuid        not null,
    bucket     timestamptz not null,
    token_id   uuid        not null,
    requests   bigint      not null,
    errors     bigint      not null,
    constraint account_token_usage_daily_pkey primary key (account_id, bucket, token_id),
    constraint account_token_usage_daily_bucket_is_day
        check (extract(epoch from bucket)::bigint % 86400 = 0),
    constraint account_token_usage_daily_counts_sane
        check (requests > 0 and errors between 0 and requests)
);
