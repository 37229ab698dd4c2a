-- How many live tokens an account may have; null for the installation's own limit, 0 for none.
alter table accounts
    add column token_limit integer check (token_limit >= 0);

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

-- Counts the live tokens of one account without touching their rows.
create index api_tokens_account_live on api_tokens (account_id, expires_at)
    where state <> 'revoked';
