-- One day of calls: a fifth of them of the token $1, the rest of 1,000 others of the account $2.
insert into api_token_usage
    (token_id, account_id, "timestamp", token_version, response_time_us, status, verdict,
     timestamp_replaced, method, endpoint, user_agent, ip)
select case when number % 5 = 0 then $1
            else lpad(to_hex(number * 7919 % 1000 + 1), 32, '0')::uuid end,
       $2,
       ((now() at time zone 'UTC')::date - $3::int)::timestamp at time zone 'UTC'
           + number * (interval '1 day' / $4::double precision),
       1, number * 31 % 5000, case when number % 20 = 0 then 403 else 200 end,
       case when number % 20 = 0 then 5 else 0 end, false,
       case when number % 4 = 0 then 'POST' else 'GET' end,
       (array['/v1/items', '/v1/items/search', '/v1/orders', '/v1/orders/7', '/health'])
           [number * 17 % 5 + 1],
       'Mozilla/5.0 (X11; Linux x86_64) bench/1.0',
       '10.0.0.0'::inet + number % 65536
from generate_series(0, $4::bigint - 1) number
