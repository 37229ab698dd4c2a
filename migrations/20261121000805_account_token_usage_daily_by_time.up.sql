-- As for the sums by endpoint.
create index account_token_usage_daily_bucket on account_token_usage_daily using brin (bucket)
    with (pages_per_range = 16, autosummarize = on);
