-- The sums of accounts, and the days of tokens, of what is there already; sums by token know no verdicts.
-- An ingestor of the version before writes none of these. What those count after this is put right by
-- `tollkeeper rollups rebuild` once they are replaced.
with owners as materialized (
    select token_id, usage_account_of(token_id) as account_id
    from (select distinct token_id from api_token_usage_hourly) as used
)
insert into account_usage_hourly
    (account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency)
select account_id, bucket, endpoint, method, status_class, -1, sum(requests)::bigint,
       sum(errors)::bigint, usage_histogram_sum(latency)
from api_token_usage_hourly join owners using (token_id)
where account_id is not null
group by 1, 2, 3, 4, 5;

insert into account_usage_daily
    (account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency)
select account_id, date_bin('1 day', bucket, '1970-01-01T00:00:00Z'), endpoint, method, status_class, -1,
       sum(requests)::bigint, sum(errors)::bigint, usage_histogram_sum(latency)
from account_usage_hourly
group by 1, 2, 3, 4, 5;

insert into account_token_usage_daily (account_id, bucket, token_id, requests, errors)
select account_id, bucket, token_id, requests, errors
from (
    select usage_account_of(token_id) as account_id, bucket, token_id, requests, errors
    from (
        select bucket, token_id, sum(requests)::bigint as requests, sum(errors)::bigint as errors
        from api_token_usage_daily
        group by 1, 2
    ) as days
) as owned
where account_id is not null;
