-- Who has registered the node that makes these marks, as the log names an actor; null for the processes that
-- have the database. Nobody else goes on with them.
alter table usage_reporters add column registered_by text;
