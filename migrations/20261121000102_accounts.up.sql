-- The accounts as their events have made them, and their personal data beside the log.
--
-- Deleted accounts stay as tombstones: their identity must never be born again.

create table accounts (
    id               uuid        primary key,
    external_id      text,
    identity_issuer  text,
    identity_subject text,
    role             text        not null check (role in ('user', 'system')),
    state            text        not null check (state in ('active', 'suspended', 'deleted')),
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    version          bigint      not null check (version > 0),
    constraint accounts_external_id_key unique (external_id),
    constraint accounts_identity_key unique (identity_issuer, identity_subject),
    constraint accounts_identity_whole check ((identity_issuer is null) = (identity_subject is null))
);

-- Names and addresses are never in the log, so that an account can be erased while the chain of
-- hashes stays whole.
create table account_profiles (
    account_id uuid primary key references accounts (id),
    name       text,
    email      text
);

-- The projections take their rows as JSON, in the transaction that appends the events.
create function project_accounts(rows jsonb) returns void language sql as $$
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
        version = excluded.version
$$;

create function project_account_profiles(rows jsonb) returns void language sql as $$
    insert into account_profiles
    select r.* from jsonb_populate_recordset(null::account_profiles, rows) as r
    order by r.account_id
    on conflict (account_id) do update set name = excluded.name, email = excluded.email
$$;
