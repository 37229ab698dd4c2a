create or replace function project_accounts(rows jsonb) returns void language sql as $$
    insert into accounts
    select r.* from jsonb_populate_recordset(null::accounts, rows) as r order by r.id
    on conflict (id) do update set
        external_id = excluded.external_id,
        identity_issuer = excluded.identity_issuer,
        identity_subject = excluded.identity_subject,
        role = excluded.role,
        state = excluded.state,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        version = excluded.version,
        token_limit = excluded.token_limit
$$;

drop table account_erasures;
