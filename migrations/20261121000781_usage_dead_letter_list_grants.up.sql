grant select, update (replay_asked_at, replay_failure) on usage_dead_letter_list to tollkeeper_api;
