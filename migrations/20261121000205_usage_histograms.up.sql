-- Latency histograms are arrays of 24 counts. Bucket i (from 0) counts the calls that took less than
-- 2^(i+4) microseconds and no less than the bucket before; the last one has no upper bound. So the
-- bounds run 16 us, 32 us, ... 67 s, and a quantile is known within a factor of two before
-- interpolation. Arrays add up, so any set of hours can be merged.

-- Adds two histograms, element by element.
create function usage_histogram_add(a bigint[], b bigint[]) returns bigint[]
language sql immutable strict parallel safe as $$
    select array_agg(coalesce(x, 0) + coalesce(y, 0) order by place)
    from unnest(a, b) with ordinality as pair (x, y, place)
$$;

-- The sum of many histograms.
create aggregate usage_histogram_sum(bigint[]) (
    sfunc = usage_histogram_add,
    stype = bigint[],
    combinefunc = usage_histogram_add,
    parallel = safe
);
