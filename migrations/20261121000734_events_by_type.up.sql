-- Serves the audit log, where it is asked who did something of a kind.
create index events_type on events (type, position);
