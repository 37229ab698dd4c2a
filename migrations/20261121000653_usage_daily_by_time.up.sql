-- As for the hours.
create index api_token_usage_daily_bucket on api_token_usage_daily using brin (bucket)
    with (pages_per_range = 16, autosummarize = on);
