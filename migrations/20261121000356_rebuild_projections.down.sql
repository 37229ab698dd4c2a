drop function rebuild_replace(bigint);
drop function rebuild_first_differences(integer);
drop function rebuild_counts();
drop function rebuild_compare();
drop function rebuild_differing_columns(jsonb, jsonb);
drop function rebuild_index();
drop function rebuild_take(uuid[], jsonb);
drop function rebuild_begin();
drop function rebuild_end();
