revoke execute on function usage_partition_create(date), usage_partition_drop(date)
    from tollkeeper_ingestor;
grant execute on function usage_partition_create(date), usage_partition_drop(date) to public;
alter function usage_partition_create(date) security invoker;
alter function usage_partition_drop(date) security invoker;
alter function usage_partition_create(date) reset search_path;
alter function usage_partition_drop(date) reset search_path;
