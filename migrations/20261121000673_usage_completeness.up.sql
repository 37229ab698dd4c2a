-- Each source beside the run that it belongs to, and up to when it is complete.
create view usage_completeness as
select source, marks.id as reporter_id, marks.name as reporter_name, marks.started_at, marks.ended_at,
    marks.seen_at, marks.marked_at, marks.appended, known.final_sequence as final_number,
    known.last_seen_at,
    -- Its final number is known, and everything up to it is settled.
    coalesce(usage_settled(array[source], array[known.final_sequence]), false)
        and known.final_sequence is not null as is_complete,
    case
        when marks.id is null then null
        when usage_settled(array[source], array[marks.appended]) then marks.marked_at
        when usage_settled(array[source], array[marks.checked]) then marks.checked_at
        else marks.complete_through
    end as complete_through
from usage_sources known
full join (
    select reporter.id, reporter.name, reporter.started_at, reporter.ended_at, reporter.seen_at,
        reporter.marked_at, reporter.checked_at, reporter.complete_through,
        lane.source, lane.appended, lane.checked
    from usage_reporters reporter
    cross join lateral unnest(reporter.sources, reporter.appended, reporter.checked)
        as lane (source, appended, checked)
    -- A lane that was never used, of a run that is over, is nobody's concern.
    where lane.appended > 0 or reporter.ended_at is null
) as marks using (source);
