-- 90 days of sums of 500 tokens that are used each day, 3 endpoints and 2 classes of status each.
insert into api_token_usage_daily
select token.id, day.at, endpoint.name, 'GET', class.digit, 100 + class.digit,
    case when class.digit = 4 then 104 else 0 end,
    array_fill(0::bigint, array[10]) || (100 + class.digit)::bigint || array_fill(0::bigint, array[13])
from (select id from api_tokens where state = 'active' order by id limit 500) as token,
    generate_series(0, 89) as n,
    lateral (select date_trunc('day', now(), 'UTC') - n * interval '1 day') as day (at),
    (values ('/orders'), ('/orders/{id}'), ('/search')) as endpoint (name),
    (values (2::smallint), (4::smallint)) as class (digit);
-- The last 8 days of the same by the hour, of a hundred of them.
insert into api_token_usage_hourly
select token.id, hour.at, endpoint.name, 'GET', class.digit, 100 + class.digit,
    case when class.digit = 4 then 104 else 0 end,
    array_fill(0::bigint, array[10]) || (100 + class.digit)::bigint || array_fill(0::bigint, array[13])
from (select id from api_tokens where state = 'active' order by id limit 100) as token,
    generate_series(0, 8 * 24 - 1) as n,
    lateral (select date_trunc('hour', now(), 'UTC') - n * interval '1 hour') as hour (at),
    (values ('/orders'), ('/orders/{id}'), ('/search')) as endpoint (name),
    (values (2::smallint), (4::smallint)) as class (digit);
-- Single requests of the last 6 days.
insert into api_token_usage
    (token_id, account_id, "timestamp", token_version, response_time_us, status, verdict,
     timestamp_replaced, method, endpoint, user_agent, ip)
select token.id, token.account_id, now() - n * interval '5 seconds', 1, n % 5000,
    case when n % 20 = 0 then 403 else 200 end, case when n % 20 = 0 then 9 else 0 end, false,
    'GET', (array['/orders', '/orders/7', '/search'])[n % 3 + 1], 'curl/8.5.0', '192.0.2.0'::inet + n % 256
from generate_series(1, 100000) as n
    join (select id, account_id, row_number() over (order by id) - 1 as place
        from (select id, account_id from api_tokens where state = 'active' order by id limit 100) as first)
        as token on token.place = n % 100;
-- When each was last used: one a minute, so that the list has an order by it.
insert into api_token_usage_totals (token_id, usage_count, last_used_at)
select id, 3, created_at + interval '1 minute' from api_tokens where state = 'active';
