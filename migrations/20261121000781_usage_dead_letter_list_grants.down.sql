revoke all on usage_dead_letter_list from tollkeeper_api;
