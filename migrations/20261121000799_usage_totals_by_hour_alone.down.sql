create index api_token_usage_totals_last_used on api_token_usage_totals (last_used_hour desc)
    where last_used_hour is not null;
