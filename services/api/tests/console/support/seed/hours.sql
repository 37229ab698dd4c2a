-- Sums of the hours before: more by day than by night, less at weekends, growing, with a peak of half a day
-- and an outage of three hours.
with first as (
    select date_bin('1 hour', min("timestamp"), '1970-01-01Z') as bucket from api_token_usage
), hours as (
    select generate_series(bucket - interval '90 days', bucket - interval '1 hour', interval '1 hour')
        as bucket
    from first
), calls as (
    select id, bucket, endpoint, place,
        30.0 / place * (1.1 + sin((extract(hour from bucket) - 8) * pi() / 12))
            * case when extract(isodow from bucket) > 5 then 0.4 else 1 end
            * (2.5 - extract(epoch from now() - bucket) / 86400 / 60)
            * case when now() - bucket between interval '23 days' and interval '23 days 12 hours'
                   then 6 else 1 end as requests,
        now() - bucket between interval '11 days' and interval '11 days 3 hours' as is_outage
    from hours,
        unnest($1::uuid[]) with ordinality as token (id, place),
        lateral (values (case when place % 2 = 0 then '/v1/stock' else '/v1/orders' end)) as endpoints (endpoint)
    where place <= 5
), classes as (
    select id, bucket, endpoint, class::smallint as class, (requests * share)::bigint as requests
    from calls, lateral (values
        (2, case when is_outage then 0.3 else 0.93 end), (4, 0.06), (5, case when is_outage then 0.6 else 0.01 end)
    ) as shares (class, share)
)
insert into api_token_usage_hourly
select id, bucket, endpoint, 'GET', class, requests, case when class >= 4 then requests else 0 end,
    array[0, 0, 0, 0, 0, 0, 0, 0, 0, requests * 35 / 100, requests - requests * 35 / 100
        - requests * 20 / 100 - requests * 4 / 100 - requests / 100, requests * 20 / 100,
        requests * 4 / 100, 0, 0, requests / 100, 0, 0, 0, 0, 0, 0, 0, 0]
from classes where requests > 0
