-- Single requests of the last 23 hours, of the first 16 of these tokens.
insert into api_token_usage
    (token_id, account_id, "timestamp", token_version, response_time_us, status, verdict,
     timestamp_replaced, method, endpoint, user_agent, ip)
select token.id, token.account_id, now() - number * interval '20 seconds', 1,
       4000 + number * 7919 % 30000 + case when number % 37 = 0 then 400000 else 0 end,
       case when number % 23 = 0 then 403 when number % 101 = 0 then 500
            when number % 17 = 0 then 404 else 200 end,
       case when number % 23 = 0 then 5 else 0 end, false,
       case when number % 4 = 0 then 'POST' else 'GET' end,
       (array['/v1/orders', '/v1/orders/{id}', '/v1/stock', '/v1/prices', '/v1/customers'])
           [number * 17 % 5 + 1],
       (array['shop-client/2.4', 'curl/8.9.1', 'Mozilla/5.0 (X11; Linux x86_64)'])[number % 3 + 1],
       '198.51.100.0'::inet + number % 40
from generate_series(1, 4100) as number
join lateral (
    select id, account_id from api_tokens
    where id = ($1::uuid[])[1 + floor(16 * power(number * 7919 % 1000 / 1000.0, 2))::int]
) as token on true
