-- Whether rate limits have the form that the verification of every request counts on. A process reads
-- many tokens at once, so that one that cannot be read would take others with it. That no two have the
-- same name is the writers' to see to.
create function rate_limits_are_sound(limits jsonb) returns boolean language sql immutable as $$
    select case
        when limits = '[]' then true
        when jsonb_typeof(limits) <> 'array' then false
        else jsonb_array_length(limits) <= 8
            and jsonb_array_length(limits) = jsonb_array_length(jsonb_path_query_array(limits, '
                strict $[*] ? (
                    @.name like_regex "^[a-z0-9._-]{1,32}$"
                    && @.limit >= 1 && @.limit <= 1000000000
                    && @.window_seconds >= 1 && @.window_seconds <= 2678400
                    && @.burst >= 1 && @.burst <= 1000000000
                    && @.burst * @.window_seconds <= @.limit * 2678400
                    && @.cost >= 1 && @.cost <= @.burst
                )'))
        end
$$;

-- How much a token may do in how much time: `[{name, limit, window_seconds, burst, cost}]`, sorted by
-- the names. None at all is no limit.
alter table api_tokens add column rate_limits jsonb not null default '[]'
    constraint api_tokens_rate_limits_check check (rate_limits_are_sound(rate_limits));

-- A process of before knows nothing of the column and leaves it out of its rows: then there is no
-- limit, as it could set none. The rest is as it was.
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
