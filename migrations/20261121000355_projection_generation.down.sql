alter table event_log_head drop column generation;
