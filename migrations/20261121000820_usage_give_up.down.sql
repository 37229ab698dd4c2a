drop function usage_give_up(uuid);
