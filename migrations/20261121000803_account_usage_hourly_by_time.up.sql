-- Serves what is asked of all accounts together, and retention; as for api_token_usage_hourly.
create index account_usage_hourly_bucket on account_usage_hourly using brin (bucket)
    with (pages_per_range = 16, autosummarize = on);
