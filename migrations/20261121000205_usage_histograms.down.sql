drop aggregate usage_histogram_sum(bigint[]);
drop function usage_histogram_add(bigint[], bigint[]);
