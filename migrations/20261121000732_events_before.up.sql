-- The position of the last event that was recorded before a moment. `recorded_at` never goes back, and
-- positions have no gaps, so halving finds it by some twenty rows of the primary key: events need no index
-- by time, which every append would have to pay for.
create function events_before(moment timestamptz) returns bigint language plpgsql stable as $$
declare
    -- All up to `low` were recorded before, and none beyond `high`.
    low    bigint := 0;
    high   bigint;
    middle bigint;
begin
    select position into high from event_log_head;
    while low < high loop
        middle := (low + high + 1) / 2;
        if (select recorded_at < moment from events where position = middle) then
            low := middle;
        else
            high := middle - 1;
        end if;
    end loop;
    return low;
end
$$;
