insert into api_token_usage_hourly
select * from usage_hours_of_rows(now() - interval '2 days', now(), null);

insert into api_token_usage_daily
select token_id, date_bin('1 day', bucket, '1970-01-01Z'), endpoint, method, status_class,
    sum(requests), sum(errors), usage_histogram_sum(latency)
from api_token_usage_hourly group by 1, 2, 3, 4, 5;

insert into api_token_usage_totals (token_id, usage_count, last_used_at)
select token_id, sum(requests),
    (select max("timestamp") from api_token_usage as call
     where call.token_id = hourly.token_id and verdict = 0)
from api_token_usage_hourly as hourly group by token_id;

-- They were not all made a moment ago.
update api_tokens set created_at = created_at - numbered.place * interval '2 days 3 hours'
from (select id, row_number() over (order by id desc) as place from api_tokens) as numbered
where numbered.id = api_tokens.id;

analyze;
