drop index events_actor;
