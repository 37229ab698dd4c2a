-- How often projected rows were replaced outside of the order of the log, by a rebuild. Whoever keeps
-- such rows in memory reads this with the head, and forgets them all when it has moved: no event
-- tells of a row that should never have been as it was.
alter table event_log_head
    add column generation bigint not null default 0
    constraint event_log_head_generation_check check (generation >= 0);
