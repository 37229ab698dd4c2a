-- What the sums of accounts and the days of tokens should be by what they are made of, and what of them
-- is not so. As for the sums of tokens, each is one statement and so sees one moment.

-- The hours of accounts by their raw rows. An endpoint counts under the name that the token's own hours
-- have for it, so that these are to be put right first. `accounts` may be null for all of them.
create function usage_account_hours_of_rows(lower timestamptz, upper timestamptz, accounts uuid[])
returns table (
    account_id uuid, bucket timestamptz, endpoint text, method text, status_class smallint,
    verdict smallint, requests bigint, errors bigint, latency bigint[]
)
language sql stable as $$
    with calls as materialized (
        select account_id, token_id, date_bin('1 hour', "timestamp", '1970-01-01T00:00:00Z') as bucket,
               endpoint, method,
               (case when status between 100 and 599 then status / 100 else 0 end)::smallint
                   as status_class,
               verdict,
               width_bucket(response_time_us, array[
                   1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13,
                   1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22,
                   1 << 23, 1 << 24, 1 << 25, 1 << 26]::bigint[]) as place,
               count(*) as requests, count(*) filter (where verdict <> 0 or status >= 400) as errors
        from api_token_usage
        where "timestamp" >= lower and "timestamp" < upper
          and (accounts is null or account_id = any (accounts))
        group by 1, 2, 3, 4, 5, 6, 7, 8
    ), folded as materialized (
        select account_id, token_id, bucket, usage_endpoint_template(endpoint) as template, method,
               status_class, verdict, place, requests, errors
        from calls
    ), named as (
        select distinct token_id, bucket, endpoint as template
        from api_token_usage_hourly
        where bucket >= lower and bucket < upper
          and (accounts is null or token_id in (select token_id from folded))
    )
    select account_id, bucket,
           case when named.template is null then '(other)' else template end, method, status_class,
           verdict, sum(requests)::bigint, sum(errors)::bigint,
           array(select coalesce(sum(counted), 0)::bigint
                 from generate_series(0, 23) as wanted
                 left join unnest(array_agg(place), array_agg(requests)) as found (place, counted)
                     on found.place = wanted
                 group by wanted order by wanted)
    from folded
    left join named using (token_id, bucket, template)
    group by 1, 2, 3, 4, 5, 6
$$;

-- Whose a token is; of one that a restored database has forgotten, by its rows.
create function usage_account_of(of_token uuid) returns uuid
language sql stable as $$
    select coalesce(
        (select account_id from api_tokens where id = of_token),
        (select account_id from api_token_usage where token_id = of_token limit 1)
    )
$$;

-- The hours of accounts, with all verdicts together, that are not what their tokens' hours add up to.
create function usage_account_hours_different(lower timestamptz, upper timestamptz)
returns table (account_id uuid, bucket timestamptz, stored bigint, counted bigint)
language sql stable as $$
    with hours as materialized (
        select * from api_token_usage_hourly where bucket >= lower and bucket < upper
    ), owners as materialized (
        select token_id, usage_account_of(token_id) as account_id
        from (select distinct token_id from hours) as used
    ), counted as (
        select account_id, bucket, endpoint, method, status_class, sum(requests)::bigint as requests,
               sum(errors)::bigint as errors, usage_histogram_sum(latency) as latency
        from hours join owners using (token_id)
        where account_id is not null
        group by 1, 2, 3, 4, 5
    ), stored as (
        select account_id, bucket, endpoint, method, status_class, sum(requests)::bigint as requests,
               sum(errors)::bigint as errors, usage_histogram_sum(latency) as latency
        from account_usage_hourly
        where bucket >= lower and bucket < upper
        group by 1, 2, 3, 4, 5
    )
    select account_id, bucket, coalesce(sum(stored.requests), 0)::bigint,
           coalesce(sum(counted.requests), 0)::bigint
    from stored full join counted using (account_id, bucket, endpoint, method, status_class)
    group by 1, 2
    having bool_or((stored.requests, stored.errors, stored.latency)
        is distinct from (counted.requests, counted.errors, counted.latency))
$$;

-- The days of accounts that are not what their hours add up to.
create function usage_account_days_different(lower timestamptz, upper timestamptz)
returns table (account_id uuid, bucket timestamptz, stored bigint, counted bigint)
language sql stable as $$
    with counted as (
        select account_id, date_bin('1 day', bucket, '1970-01-01T00:00:00Z') as bucket, endpoint, method,
               status_class, verdict, sum(requests)::bigint as requests, sum(errors)::bigint as errors,
               usage_histogram_sum(latency) as latency
        from account_usage_hourly
        where bucket >= lower and bucket < upper
        group by 1, 2, 3, 4, 5, 6
    ), stored as (
        select * from account_usage_daily where bucket >= lower and bucket < upper
    )
    select account_id, bucket, coalesce(sum(stored.requests), 0)::bigint,
           coalesce(sum(counted.requests), 0)::bigint
    from stored full join counted using (account_id, bucket, endpoint, method, status_class, verdict)
    group by 1, 2
    having bool_or((stored.requests, stored.errors, stored.latency)
        is distinct from (counted.requests, counted.errors, counted.latency))
$$;

-- The days of tokens with all endpoints together that are not what those add up to.
create function usage_token_days_different(lower timestamptz, upper timestamptz, tokens uuid[])
returns table (token_id uuid, bucket timestamptz, stored bigint, counted bigint)
language sql stable as $$
    with counted as (
        select token_id, bucket, sum(requests)::bigint as requests, sum(errors)::bigint as errors
        from api_token_usage_daily
        where bucket >= lower and bucket < upper and (tokens is null or token_id = any (tokens))
        group by 1, 2
    ), owned as (
        select * from (select *, usage_account_of(token_id) as account_id from counted) as found
        where account_id is not null
    ), stored as (
        select * from account_token_usage_daily
        where bucket >= lower and bucket < upper and (tokens is null or token_id = any (tokens))
    )
    select token_id, bucket, coalesce(sum(stored.requests), 0)::bigint,
           coalesce(sum(owned.requests), 0)::bigint
    from stored full join owned using (account_id, bucket, token_id)
    group by 1, 2
    having bool_or((stored.requests, stored.errors) is distinct from (owned.requests, owned.errors))
$$;
