drop function usage_rollups_replace(timestamptz, timestamptz, timestamptz, uuid[]);
drop function usage_totals_replace(timestamptz, uuid[]);
