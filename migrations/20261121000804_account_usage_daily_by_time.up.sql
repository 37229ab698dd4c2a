-- As for the hours.
create index account_usage_daily_bucket on account_usage_daily using brin (bucket)
    with (pages_per_range = 16, autosummarize = on);
