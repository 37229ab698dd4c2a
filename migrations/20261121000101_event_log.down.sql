drop table events;
drop function events_are_final();
drop table event_log_head;
