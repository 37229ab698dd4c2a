-- The tokens as their events have made them. What the usage side knows of a token is elsewhere, so
-- that counting never touches these rows.

create table api_tokens (
    id                uuid        primary key,
    account_id        uuid        not null references accounts (id),
    name              text        not null check (char_length(name) between 1 and 100),
    environment       text        not null check (environment in ('live', 'test')),
    token_prefix      text        not null,
    scopes            text[]      not null,
    metadata          jsonb       not null check (jsonb_typeof(metadata) = 'object'),
    not_before        timestamptz,
    expires_at        timestamptz,
    state             text        not null check (state in ('active', 'suspended', 'revoked')),
    revocation_reason text,
    revoked_at        timestamptz,
    issued_by         uuid,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    version           bigint      not null check (version > 0),
    constraint api_tokens_revocation_whole check (
        (state = 'revoked') = (revoked_at is not null)
        and (revoked_at is null) = (revocation_reason is null)
    )
);

-- Lists page by id, which sorts by the time of issue.
create index api_tokens_account on api_tokens (account_id, id);
create index api_tokens_prefix on api_tokens (token_prefix text_pattern_ops);
create index api_tokens_issued_by on api_tokens (issued_by) where issued_by is not null;

-- A token has one current secret, and earlier ones that work until their grace is over. Those that
-- work no more stay, so that whoever still presents one is told so and no hash is used again.
create table api_token_secrets (
    secret_hash bytea       primary key check (octet_length(secret_hash) = 32),
    token_id    uuid        not null references api_tokens (id),
    valid_until timestamptz
);

create index api_token_secrets_token on api_token_secrets (token_id);
create unique index api_token_secrets_one_current on api_token_secrets (token_id)
    where valid_until is null;

create function project_api_tokens(rows jsonb) returns void language sql as $$
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
        version = excluded.version
$$;

-- A hash never moves to another token: the unique violation is raised instead. Secrets that end
-- are written before the one that takes their place.
create function project_api_token_secrets(rows jsonb) returns void language plpgsql as $$
begin
    update api_token_secrets as s
    set valid_until = r.valid_until
    from jsonb_populate_recordset(null::api_token_secrets, rows) as r
    where s.secret_hash = r.secret_hash and s.token_id = r.token_id
        and s.valid_until is distinct from r.valid_until;

    insert into api_token_secrets
    select r.* from jsonb_populate_recordset(null::api_token_secrets, rows) as r
    where not exists (
        select from api_token_secrets as s
        where s.secret_hash = r.secret_hash and s.token_id = r.token_id
    )
    order by r.secret_hash;
end
$$;
