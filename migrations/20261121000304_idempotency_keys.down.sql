drop function project_idempotency_keys(jsonb);
drop table idempotency_keys;
