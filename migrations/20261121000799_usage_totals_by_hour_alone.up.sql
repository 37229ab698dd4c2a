-- A starting node reads the tokens that were used last by api_token_usage_totals_last_used_hour, which
-- goes on with the token. No release was ever without that one.
drop index api_token_usage_totals_last_used;
