-- Putting the sums of accounts and the days of tokens right. As where sums of tokens are put right, whoever
-- counts waits meanwhile, and one call is one transaction.

-- The days of these tokens, by their sums of endpoints.
create function usage_token_days_replace(of_day timestamptz, tokens uuid[]) returns void
language plpgsql as $$
begin
    lock table api_token_usage_hourly in share row exclusive mode;
    delete from account_token_usage_daily where bucket = of_day and token_id = any (tokens);
    insert into account_token_usage_daily (account_id, bucket, token_id, requests, errors)
    select account_id, of_day, token_id, requests, errors
    from (
        select usage_account_of(token_id) as account_id, token_id, sum(requests)::bigint as requests,
               sum(errors)::bigint as errors
        from api_token_usage_daily where bucket = of_day and token_id = any (tokens)
        group by token_id
    ) as days
    where account_id is not null;
end $$;

-- The days of these accounts, by their hours.
create function usage_account_days_replace(of_day timestamptz, accounts uuid[]) returns void
language plpgsql as $$
begin
    lock table api_token_usage_hourly in share row exclusive mode;
    delete from account_usage_daily where bucket = of_day and account_id = any (accounts);
    insert into account_usage_daily
        (account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency)
    select account_id, of_day, endpoint, method, status_class, verdict, sum(requests)::bigint,
           sum(errors)::bigint, usage_histogram_sum(latency)
    from account_usage_hourly
    where bucket >= of_day and bucket < of_day + interval '1 day' and account_id = any (accounts)
    group by 1, 2, 3, 4, 5, 6;
end $$;

-- The hours of these accounts from `lower` to `upper`, both in one UTC day, and the day. They are made of
-- the raw rows; an hour whose rows do not add up to what the tokens' hours say (of an account that is
-- deleted, or of a day whose rows are not kept) is made of those, without verdicts.
create function usage_account_hours_replace(lower timestamptz, upper timestamptz, accounts uuid[])
returns void
language plpgsql as $$
declare
    of_accounts uuid[];
    hours timestamptz[];
begin
    lock table api_token_usage_hourly in share row exclusive mode;
    delete from account_usage_hourly
    where bucket >= lower and bucket < upper and account_id = any (accounts);
    insert into account_usage_hourly
    select * from usage_account_hours_of_rows(lower, upper, accounts);

    select array_agg(account_id), array_agg(bucket) into of_accounts, hours
    from usage_account_hours_different(lower, upper)
    where account_id = any (accounts);
    delete from account_usage_hourly made
    using unnest(of_accounts, hours) as incomplete (account_id, bucket)
    where made.account_id = incomplete.account_id and made.bucket = incomplete.bucket;
    insert into account_usage_hourly
        (account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency)
    select account_id, bucket, endpoint, method, status_class, -1, sum(requests)::bigint,
           sum(errors)::bigint, usage_histogram_sum(latency)
    from api_token_usage_hourly
    join (
        select token_id, usage_account_of(token_id) as account_id
        from (
            select distinct token_id from api_token_usage_hourly where bucket >= lower and bucket < upper
        ) as used
    ) as owners using (token_id)
    join unnest(of_accounts, hours) as incomplete (account_id, bucket) using (account_id, bucket)
    where bucket >= lower and bucket < upper
    group by 1, 2, 3, 4, 5;

    perform usage_account_days_replace(date_bin('1 day', lower, '1970-01-01T00:00:00Z'), accounts);
end $$;
