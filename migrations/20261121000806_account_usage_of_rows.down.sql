drop function usage_token_days_different(timestamptz, timestamptz, uuid[]);
drop function usage_account_days_different(timestamptz, timestamptz);
drop function usage_account_hours_different(timestamptz, timestamptz);
drop function usage_account_of(uuid);
drop function usage_account_hours_of_rows(timestamptz, timestamptz, uuid[]);
