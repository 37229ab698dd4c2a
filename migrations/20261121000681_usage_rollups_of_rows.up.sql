-- The hours that raw rows of a range of time add up to, as the ingestor adds them up, and what of the
-- stored sums is not so. Each is one statement and so sees one moment: rows and sums are written in one
-- transaction, so whatever differs is wrong, and not on its way. `tokens` may be null for all of them.

-- Whether the token's account is deleted. Its rows are erased and its sums are kept, so the ones say
-- nothing of the others.
create function usage_is_erased(of_token uuid) returns boolean
language sql stable as $$
    select exists (
        select from api_tokens token join accounts account on account.id = token.account_id
        where token.id = of_token and account.state = 'deleted'
    )
$$;

-- The cap on templates of a token hour is the ingestor's (endpoints.rs). Templates that the stored hour
-- has keep their names; what is left of the cap goes to those that came first.
create function usage_hours_of_rows(lower timestamptz, upper timestamptz, tokens uuid[])
returns table (
    token_id uuid, bucket timestamptz, endpoint text, method text, status_class smallint,
    requests bigint, errors bigint, latency bigint[]
)
language sql stable as $$
    with calls as materialized (
        select token_id, date_bin('1 hour', "timestamp", '1970-01-01T00:00:00Z') as bucket, endpoint,
               method, (case when status between 100 and 599 then status / 100 else 0 end)::smallint
                   as status_class,
               width_bucket(response_time_us, array[
                   1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13,
                   1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22,
                   1 << 23, 1 << 24, 1 << 25, 1 << 26]::bigint[]) as place,
               count(*) as requests, count(*) filter (where verdict <> 0 or status >= 400) as errors,
               min("timestamp") as first
        from api_token_usage
        where "timestamp" >= lower and "timestamp" < upper
          and (tokens is null or token_id = any (tokens))
        group by 1, 2, 3, 4, 5, 6
    ), folded as materialized (
        select token_id, bucket, usage_endpoint_template(endpoint) as template, method, status_class,
               place, requests, errors, first
        from calls
    ), templates as (
        select token_id, bucket, template, min(first) as first,
               exists (select from api_token_usage_hourly stored
                       where stored.token_id = folded.token_id and stored.bucket = folded.bucket
                         and stored.endpoint = template) as stored
        from folded
        where template <> '(other)'
        group by 1, 2, 3
    ), named as (
        select token_id, bucket, template,
               stored or row_number() over (
                   partition by token_id, bucket order by stored desc, first, template
               ) <= 100 as admitted
        from templates
    )
    select token_id, bucket, case when admitted then template else '(other)' end, method, status_class,
           sum(requests)::bigint, sum(errors)::bigint,
           array(select coalesce(sum(counted), 0)::bigint
                 from generate_series(0, 23) as wanted
                 left join unnest(array_agg(place), array_agg(requests)) as found (place, counted)
                     on found.place = wanted
                 group by wanted order by wanted)
    from folded
    left join named using (token_id, bucket, template)
    group by 1, 2, 3, 4, 5
$$;

-- The token hours whose stored sums are not those of the rows. Where a token has more templates than
-- the cap, which of them count under their own names is for each ingestor to say: those hours are
-- compared with all endpoints together.
create function usage_hours_different(lower timestamptz, upper timestamptz, tokens uuid[])
returns table (token_id uuid, bucket timestamptz, stored bigint, counted bigint)
language sql stable as $$
    with stored as materialized (
        select * from api_token_usage_hourly hourly
        where bucket >= lower and bucket < upper and (tokens is null or token_id = any (tokens))
    ), counted as materialized (
        select * from usage_hours_of_rows(lower, upper, tokens)
    ), capped as (
        select token_id, bucket, true as capped from stored where endpoint = '(other)'
        union
        select token_id, bucket, true from counted where endpoint = '(other)'
    ), stored_sums as (
        select token_id, bucket, case when capped then '' else endpoint end as endpoint, method,
               status_class, sum(requests)::bigint as requests, sum(errors)::bigint as errors,
               usage_histogram_sum(latency) as latency
        from stored left join capped using (token_id, bucket)
        group by 1, 2, 3, 4, 5
    ), counted_sums as (
        select token_id, bucket, case when capped then '' else endpoint end as endpoint, method,
               status_class, sum(requests)::bigint as requests, sum(errors)::bigint as errors,
               usage_histogram_sum(latency) as latency
        from counted left join capped using (token_id, bucket)
        group by 1, 2, 3, 4, 5
    )
    select token_id, bucket, coalesce(sum(stored.requests), 0)::bigint,
           coalesce(sum(counted.requests), 0)::bigint
    from stored_sums stored
    full join counted_sums counted using (token_id, bucket, endpoint, method, status_class)
    group by 1, 2
    having bool_or((stored.requests, stored.errors, stored.latency)
            is distinct from (counted.requests, counted.errors, counted.latency))
       and not usage_is_erased(token_id)
$$;

-- The token days whose sums are not those of the stored hours.
create function usage_days_different(lower timestamptz, upper timestamptz, tokens uuid[])
returns table (token_id uuid, bucket timestamptz, stored bigint, counted bigint)
language sql stable as $$
    with counted as (
        select token_id, date_bin('1 day', bucket, '1970-01-01T00:00:00Z') as bucket, endpoint, method,
               status_class, sum(requests)::bigint as requests, sum(errors)::bigint as errors,
               usage_histogram_sum(latency) as latency
        from api_token_usage_hourly
        where bucket >= lower and bucket < upper and (tokens is null or token_id = any (tokens))
        group by 1, 2, 3, 4, 5
    ), stored as (
        select * from api_token_usage_daily
        where bucket >= lower and bucket < upper and (tokens is null or token_id = any (tokens))
    )
    select token_id, bucket, coalesce(sum(stored.requests), 0)::bigint,
           coalesce(sum(counted.requests), 0)::bigint
    from stored full join counted using (token_id, bucket, endpoint, method, status_class)
    group by 1, 2
    having bool_or((stored.requests, stored.errors, stored.latency)
        is distinct from (counted.requests, counted.errors, counted.latency))
$$;
