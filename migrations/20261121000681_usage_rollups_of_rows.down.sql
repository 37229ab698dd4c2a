drop function usage_days_different(timestamptz, timestamptz, uuid[]);
drop function usage_hours_different(timestamptz, timestamptz, uuid[]);
drop function usage_hours_of_rows(timestamptz, timestamptz, uuid[]);
drop function usage_is_erased(uuid);
