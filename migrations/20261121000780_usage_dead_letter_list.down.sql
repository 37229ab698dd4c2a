drop view usage_dead_letter_list;
