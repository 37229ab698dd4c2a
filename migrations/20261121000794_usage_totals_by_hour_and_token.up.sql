-- no-transaction
-- Lists tokens by the hour of their last use, and those of one hour by id, so that a page knows where the
-- one before has ended. It holds the same column as the index that it takes the place of, and one that
-- never changes: counting within the hour still updates rows within their page (HOT).
create index concurrently api_token_usage_totals_last_used_hour
    on api_token_usage_totals (last_used_hour, token_id) where last_used_hour is not null;
