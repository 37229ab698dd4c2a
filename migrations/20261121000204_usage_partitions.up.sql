-- Making and dropping a day of raw usage. Kept in the database so that the ingestor's statements stay
-- fixed texts, and both run alone in a short transaction with a lock timeout set by the caller.

-- Makes the partition of one UTC day, unless it is there. Returns whether it was made.
--
-- The table is built beside the parent and then attached: ATTACH takes a weak lock on the parent,
-- where CREATE ... PARTITION OF would stop every reader and writer.
create function usage_partition_create(day date) returns boolean
language plpgsql as $$
declare
    child text := 'api_token_usage_' || to_char(day, 'YYYYMMDD');
    lower timestamptz := day::timestamp at time zone 'UTC';
    upper timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
    -- Two ingestors may start at the same moment.
    perform pg_advisory_xact_lock(hashtextextended('api_token_usage', 0));
    if to_regclass(child) is not null then
        return false;
    end if;
    execute format('create table %I (like api_token_usage including all)', child);
    execute format('alter table api_token_usage attach partition %I for values from (%L) to (%L)',
                   child, lower, upper);
    return true;
end $$;

-- The days that have a partition.
create view usage_partitions as
select to_date(right(child.relname, 8), 'YYYYMMDD') as day, child.relname::text as name
from pg_inherits
join pg_class child on child.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'api_token_usage'::regclass;

-- Drops the partition of one UTC day, if there is one. Returns whether there was.
create function usage_partition_drop(day date) returns boolean
language plpgsql as $$
declare
    child text := 'api_token_usage_' || to_char(day, 'YYYYMMDD');
begin
    perform pg_advisory_xact_lock(hashtextextended('api_token_usage', 0));
    if to_regclass(child) is null then
        return false;
    end if;
    execute format('drop table %I', child);
    return true;
end $$;
