-- Only the owner of a table gives it partitions, and the ingestor, which sees to them, is not to own what
-- it writes: it could drop the rest as well. So these two run as their owner, for the ingestor alone.
-- They look for tables where they are themselves, and last where anybody may make one.
alter function usage_partition_create(date) security definer;
alter function usage_partition_drop(date) security definer;
do $$
begin
    execute format(
        'alter function usage_partition_create(date) set search_path = %I, pg_temp', current_schema()
    );
    execute format(
        'alter function usage_partition_drop(date) set search_path = %I, pg_temp', current_schema()
    );
end
$$;
revoke execute on function usage_partition_create(date), usage_partition_drop(date) from public;
grant execute on function usage_partition_create(date), usage_partition_drop(date)
    to tollkeeper_ingestor;
