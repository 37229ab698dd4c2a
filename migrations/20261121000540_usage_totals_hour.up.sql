-- The hour in which a token was last used, for the tokens that a starting node reads first. Not the
-- moment: an index on what every batch changes would keep every update from staying on its page
-- (HOT). The hour of a token in use changes once an hour.
alter table api_token_usage_totals
    add column last_used_hour timestamp
        generated always as (date_trunc('hour', last_used_at at time zone 'UTC')) stored;
