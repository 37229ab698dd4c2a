-- Keeps what the ingestor wrote, cut into the groups that it wrote it in.
drop table if exists bench_raw, bench_hourly, bench_daily, bench_token_days, bench_account_hourly,
    bench_account_daily, bench_totals, bench_ledger;
create table bench_raw as
select (row_number() over (order by tableoid, ctid) - 1) / 20000 as grp, * from api_token_usage;
create index on bench_raw (grp);
create table bench_hourly as
select grp, token_id, date_trunc('hour', "timestamp") as bucket, endpoint, method,
       (status / 100)::smallint as status_class, count(*) as requests,
       count(*) filter (where status >= 400) as errors, array_fill(1::bigint, array[24]) as latency
from bench_raw group by 1, 2, 3, 4, 5, 6;
create index on bench_hourly (grp);
create table bench_daily as
select grp, token_id, date_trunc('day', "timestamp", 'UTC') as bucket, endpoint, method,
       (status / 100)::smallint as status_class, count(*) as requests,
       count(*) filter (where status >= 400) as errors, array_fill(1::bigint, array[24]) as latency
from bench_raw group by 1, 2, 3, 4, 5, 6;
create index on bench_daily (grp);
create table bench_token_days as
select grp, account_id, date_trunc('day', "timestamp", 'UTC') as bucket, token_id, count(*) as requests,
       count(*) filter (where status >= 400) as errors
from bench_raw group by 1, 2, 3, 4;
create index on bench_token_days (grp);
create table bench_account_hourly as
select grp, account_id, date_trunc('hour', "timestamp") as bucket, endpoint, method,
       (status / 100)::smallint as status_class, verdict, count(*) as requests,
       count(*) filter (where status >= 400) as errors, array_fill(1::bigint, array[24]) as latency
from bench_raw group by 1, 2, 3, 4, 5, 6, 7;
create index on bench_account_hourly (grp);
create table bench_account_daily as
select grp, account_id, date_trunc('day', "timestamp", 'UTC') as bucket, endpoint, method,
       (status / 100)::smallint as status_class, verdict, count(*) as requests,
       count(*) filter (where status >= 400) as errors, array_fill(1::bigint, array[24]) as latency
from bench_raw group by 1, 2, 3, 4, 5, 6, 7;
create index on bench_account_daily (grp);
create table bench_totals as
select grp, token_id, count(*) as usage_count, max("timestamp") as last_used_at
from bench_raw group by 1, 2;
create index on bench_totals (grp);
create table bench_ledger as
select grp, source, (grp + 1) * (500 * 40 / 4) as last
from (select distinct grp from bench_raw) groups, usage_sources;
analyze bench_raw; analyze bench_hourly; analyze bench_daily; analyze bench_token_days;
analyze bench_account_hourly; analyze bench_account_daily; analyze bench_totals; analyze bench_ledger;
