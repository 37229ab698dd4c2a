drop function usage_partition_drop(date);
drop view usage_partitions;
drop function usage_partition_create(date);
