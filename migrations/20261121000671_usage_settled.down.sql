drop function usage_settled(uuid[], bigint[]);
