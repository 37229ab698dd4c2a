-- A dead letter may be tried again, once its reason is mended. Somebody asks for it here, and an ingestor
-- does it: it alone counts. What is counted leaves the table; what is not says why.
alter table usage_dead_letters
    add column replay_asked_at timestamptz,
    add column replay_failure  text;
create index usage_dead_letters_to_replay on usage_dead_letters (id) where replay_asked_at is not null;
