-- The ingestor's statements for one group, from the prepared tables.
insert into usage_sources (source) select source from bench_ledger where grp = $1
on conflict (source) do update set last_seen_at = now();
select * from usage_ledger where source in (select source from bench_ledger where grp = $1);
insert into api_token_usage
select token_id, account_id, "timestamp", token_version, response_time_us, status, verdict,
       timestamp_replaced, method, endpoint, user_agent, ip
from bench_raw where grp = $1;
insert into api_token_usage_hourly as hourly
select token_id, bucket, endpoint, method, status_class, requests, errors, latency
from bench_hourly where grp = $1
order by token_id, bucket, endpoint, method, status_class
on conflict (token_id, bucket, endpoint, method, status_class) do update
set requests = hourly.requests + excluded.requests, errors = hourly.errors + excluded.errors,
    latency = usage_histogram_add(hourly.latency, excluded.latency);
insert into api_token_usage_daily as daily
select token_id, bucket, endpoint, method, status_class, requests, errors, latency
from bench_daily where grp = $1
order by token_id, bucket, endpoint, method, status_class
on conflict (token_id, bucket, endpoint, method, status_class) do update
set requests = daily.requests + excluded.requests, errors = daily.errors + excluded.errors,
    latency = usage_histogram_add(daily.latency, excluded.latency);
insert into api_token_usage_totals as totals
select token_id, usage_count, last_used_at from bench_totals where grp = $1 order by token_id
on conflict (token_id) do update
set usage_count = totals.usage_count + excluded.usage_count,
    last_used_at = greatest(totals.last_used_at, excluded.last_used_at);
insert into account_token_usage_daily as days
select account_id, bucket, token_id, requests, errors from bench_token_days where grp = $1
order by account_id, bucket, token_id
on conflict (account_id, bucket, token_id) do update
set requests = days.requests + excluded.requests, errors = days.errors + excluded.errors;
insert into account_usage_hourly as hourly
select account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency
from bench_account_hourly where grp = $1
order by account_id, bucket, endpoint, method, status_class, verdict
on conflict (account_id, bucket, endpoint, method, status_class, verdict) do update
set requests = hourly.requests + excluded.requests, errors = hourly.errors + excluded.errors,
    latency = usage_histogram_add(hourly.latency, excluded.latency);
insert into account_usage_daily as daily
select account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency
from bench_account_daily where grp = $1
order by account_id, bucket, endpoint, method, status_class, verdict
on conflict (account_id, bucket, endpoint, method, status_class, verdict) do update
set requests = daily.requests + excluded.requests, errors = daily.errors + excluded.errors,
    latency = usage_histogram_add(daily.latency, excluded.latency);
delete from usage_ledger where source in (select source from bench_ledger where grp = $1);
insert into usage_ledger select source, 1, last, 'counted' from bench_ledger where grp = $1
