drop table event_traces;
