drop table usage_dead_letters;
