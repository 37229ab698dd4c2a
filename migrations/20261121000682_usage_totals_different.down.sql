drop function usage_totals_different(timestamptz, timestamptz, timestamptz, uuid[]);
