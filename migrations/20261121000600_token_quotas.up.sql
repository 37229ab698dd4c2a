-- Whether quotas have the form that the verification of every request counts on: see
-- `rate_limits_are_sound`. That no two have the same name or generation is the writers' to see to.
create function quotas_are_sound(quotas jsonb) returns boolean language sql immutable as $$
    select case
        when quotas = '[]' then true
        when jsonb_typeof(quotas) <> 'array' then false
        else jsonb_array_length(quotas) <= 4
            and jsonb_array_length(quotas) = jsonb_array_length(jsonb_path_query_array(quotas, '
                strict $[*] ? (
                    @.name like_regex "^[a-z0-9._-]{1,32}$" && @.name like_regex "[a-z0-9]"
                    && @.limit >= 1 && @.limit <= 1000000000000000
                    && @.limit.floor() == @.limit
                    && (@.refill == "none" || @.refill == "monthly" || @.refill == "daily")
                    && @.generation >= 1 && @.generation <= 2147483647
                    && @.generation.floor() == @.generation
                )'))
        end
$$;

-- How many uses a token has: `[{name, limit, refill, generation}]`, sorted by the names. None at all is
-- no bound. What was used of them is counted elsewhere.
alter table api_tokens add column quotas jsonb not null default '[]'
    constraint api_tokens_quotas_check check (quotas_are_sound(quotas));

-- A process of before knows nothing of the column: see `token_rate_limits`. The rest is as it was.
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
        jsonb_populate_record(
            null::api_tokens, '{"allowed_cidrs": [], "rate_limits": [], "quotas": []}'
        ),
        rows
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
        rate_limits = excluded.rate_limits,
        quotas = excluded.quotas;
end
$$;
