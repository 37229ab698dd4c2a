drop index events_type;
