drop index usage_dead_letters_to_replay;
alter table usage_dead_letters
    drop column replay_asked_at,
    drop column replay_failure;
