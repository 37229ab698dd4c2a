-- As it was: see `token_rate_limits`.
create or replace function project_api_tokens(rows jsonb) returns void language plpgsql as $$
begin
    if exists (
        select from jsonb_populate_recordset(null::api_tokens, rows) as r
            join api_tokens as issuer on issuer.id = r.issued_by
        where r.version = 1 and issuer.state = 'revoked'
    ) then
        raise exception 'the token that was used is revoked' using errcode = 'TK004';
    end if;

    insert into api_tokens
    select r.*
    from jsonb_populate_recordset(
        jsonb_populate_record(null::api_tokens, '{"allowed_cidrs": [], "rate_limits": []}'), rows
    ) as r order by r.id
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
        expiry_notice = excluded.expiry_notice,
        allowed_cidrs = excluded.allowed_cidrs,
        rate_limits = excluded.rate_limits;
end
$$;

alter table api_tokens drop column quotas;

drop function quotas_are_sound(jsonb);
