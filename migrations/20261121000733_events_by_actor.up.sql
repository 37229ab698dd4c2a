-- Serves the audit log, where it is asked what somebody did: in the order of the log, however rarely they
-- did anything.
create index events_actor on events (actor, position);
