drop function append_group(
    uuid[], uuid[], uuid[], text[], uuid[], bigint[], text[], integer[], bytea[], text[], text[],
    timestamptz[], bytea[], jsonb
);
drop function lock_accounts(uuid[], uuid[]);
drop function project(jsonb);
