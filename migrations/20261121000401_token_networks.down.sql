create or replace function project_api_tokens(rows jsonb) returns void language sql as $$
    insert into api_tokens
    select r.* from jsonb_populate_recordset(null::api_tokens, rows) as r order by r.id
    on conflict (id) do update set
        account_id = excluded.account_id,
        name = excluded.name,
        environment = excluded.environment,
        token_prefix = excluded.token_prefix,
        scopes = excluded.scopes,
        metadata = excluded.metadata,
        not_before = excluded.not_before,
        expires_at = excluded.expires_at,
        state = excluded.state,
        revocation_reason = excluded.revocation_reason,
        revoked_at = excluded.revoked_at,
        issued_by = excluded.issued_by,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        version = excluded.version,
        expiry_notice = excluded.expiry_notice
$$;

alter table api_tokens drop column allowed_cidrs;
