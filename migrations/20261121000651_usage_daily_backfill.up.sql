-- The days of the hours that are there already. An ingestor of the version before writes hours alone:
-- those are stopped before this runs, or the days lack what they count.
insert into api_token_usage_daily
    (token_id, bucket, endpoint, method, status_class, requests, errors, latency)
select token_id, date_bin('1 day', bucket, '1970-01-01T00:00:00Z'), endpoint, method, status_class,
       sum(requests)::bigint, sum(errors)::bigint, usage_histogram_sum(latency)
from api_token_usage_hourly
group by 1, 2, 3, 4, 5;
