drop function usage_account_hours_replace(timestamptz, timestamptz, uuid[]);
drop function usage_account_days_replace(timestamptz, uuid[]);
drop function usage_token_days_replace(timestamptz, uuid[]);
