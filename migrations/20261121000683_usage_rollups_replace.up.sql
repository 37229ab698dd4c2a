-- Putting sums right. One call is one transaction, so that nobody holds the lock while it thinks.
--
-- Whoever counts waits meanwhile: it writes the hours after the rows and before the rest, so that with
-- this lock no sum is seen, or made, without its rows.

-- Totals of these tokens, by their days and rows.
create function usage_totals_replace(rollups_from timestamptz, tokens uuid[]) returns void
language plpgsql as $$
begin
    lock table api_token_usage_hourly in share row exclusive mode;
    insert into api_token_usage_totals as totals (token_id, usage_count, last_used_at)
    select token_id, counted, counted_last_used
    from usage_totals_different(null, null, rollups_from, tokens)
    where counted > 0
    on conflict (token_id) do update
    set usage_count = excluded.usage_count, last_used_at = excluded.last_used_at;
    delete from api_token_usage_totals
    where token_id in (
        select token_id from usage_totals_different(null, null, rollups_from, tokens)
        where counted = 0
    );
end $$;

-- Hours from `lower` to `upper`, both in one UTC day, of these tokens by the raw rows, the day by its
-- hours, and the totals.
create function usage_rollups_replace(
    lower timestamptz, upper timestamptz, rollups_from timestamptz, tokens uuid[]
)
returns void
language plpgsql as $$
declare
    first_hour timestamptz := date_bin('1 day', lower, '1970-01-01T00:00:00Z');
    next_day timestamptz := first_hour + interval '1 day';
    made api_token_usage_hourly[];
begin
    lock table api_token_usage_hourly in share row exclusive mode;
    -- A day is not dropped while its rows are read, and what was dropped is not made anew from nothing.
    lock table api_token_usage in access share mode;
    if not exists (select from usage_partitions where day = (lower at time zone 'UTC')::date) then
        raise exception 'the rows of this day are not kept' using errcode = 'TK010';
    end if;
    -- An account that is deleted from now on has its rows erased after this.
    perform from accounts
    where id in (select account_id from api_tokens where id = any (tokens)) and state <> 'deleted'
    order by id for share;
    tokens := array(select it from unnest(tokens) it where not usage_is_erased(it));

    made := array(select row (hours.*)::api_token_usage_hourly
                  from usage_hours_of_rows(lower, upper, tokens) hours);
    delete from api_token_usage_hourly
    where bucket >= lower and bucket < upper and token_id = any (tokens);
    insert into api_token_usage_hourly select * from unnest(made);

    delete from api_token_usage_daily where bucket = first_hour and token_id = any (tokens);
    insert into api_token_usage_daily
        (token_id, bucket, endpoint, method, status_class, requests, errors, latency)
    select token_id, first_hour, endpoint, method, status_class, sum(requests)::bigint,
           sum(errors)::bigint, usage_histogram_sum(latency)
    from api_token_usage_hourly
    where bucket >= first_hour and bucket < next_day and token_id = any (tokens)
    group by 1, 2, 3, 4, 5;

    perform usage_totals_replace(rollups_from, tokens);
end $$;
