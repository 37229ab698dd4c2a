-- Serves what is asked of all tokens together, and retention. Rows come nearly in the order of their
-- hours, so this is a few pages, and updates of a row do not change it.
create index api_token_usage_hourly_bucket on api_token_usage_hourly using brin (bucket)
    with (pages_per_range = 16, autosummarize = on);
