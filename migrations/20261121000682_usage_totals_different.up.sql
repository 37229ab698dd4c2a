-- The tokens whose totals are not what their days add up to, or whose last use is not that of their
-- newest row that passed: of `tokens`, or if that is null of all with usage in a range of time.
--
-- Days before `rollups_from` may have been removed: of tokens from before it, the days say only how
-- much it is at least. Rows of days that were dropped say nothing of the last use.
create function usage_totals_different(
    lower timestamptz, upper timestamptz, rollups_from timestamptz, tokens uuid[]
)
returns table (
    token_id uuid, stored bigint, counted bigint, stored_last_used timestamptz,
    counted_last_used timestamptz
)
language sql stable as $$
    with meant as (
        select unnest(tokens) as token_id
        union
        select token_id from api_token_usage_hourly
        where tokens is null and bucket >= lower and bucket < upper
    ), used as (
        select token_id from meant where not usage_is_erased(token_id)
    ), oldest as (
        select min(day)::timestamp at time zone 'UTC' as kept_from from usage_partitions
    ), facts as (
        select used.token_id, coalesce(totals.usage_count, 0) as stored, totals.last_used_at,
               coalesce((select sum(requests)::bigint from api_token_usage_daily daily
                         where daily.token_id = used.token_id), 0) as days,
               (select max("timestamp") from api_token_usage calls
                where calls.token_id = used.token_id and verdict = 0) as newest,
               coalesce((select created_at >= rollups_from from api_tokens token
                         where token.id = used.token_id), true) as whole,
               kept_from
        from used
        cross join oldest
        left join api_token_usage_totals totals on totals.token_id = used.token_id
    ), rightly as (
        select token_id, stored, last_used_at,
               case when whole then days else greatest(stored, days) end as counted,
               coalesce(newest, case when last_used_at < kept_from then last_used_at end) as last_used
        from facts
    )
    select token_id, stored, counted, last_used_at, last_used
    from rightly
    where stored <> counted or last_used_at is distinct from last_used
$$;
