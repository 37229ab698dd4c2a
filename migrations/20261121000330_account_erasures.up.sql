-- What is still to be done about each deleted account: its tokens are denied by the account's own
-- event, but their histories do not say so yet, and the raw usage of their calls is personal data.
--
-- The row comes in the transaction that deletes the account, so that no crash can lose it, and
-- stays as the record of when everything was gone. No foreign key: this must not stand in the way
-- of anything that is done to the projected tables.
create table account_erasures (
    account_id  uuid        primary key,
    deleted_at  timestamptz not null,
    -- When the next pass over the account's usage begins.
    due_at      timestamptz not null,
    -- How many passes are over; a second one erases what was still on its way during the first.
    passes      smallint    not null default 0,
    -- The last token of the present pass whose usage is erased.
    done_to     uuid,
    finished_at timestamptz,
    constraint account_erasures_passes check (passes between 0 and 2),
    constraint account_erasures_finished check ((passes = 2) = (finished_at is not null))
);

create index account_erasures_due on account_erasures (due_at) where finished_at is null;

insert into account_erasures (account_id, deleted_at, due_at)
select id, updated_at, updated_at from accounts where state = 'deleted';

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
        token_limit = excluded.token_limit;

    insert into account_erasures (account_id, deleted_at, due_at)
    select r.id, r.updated_at, r.updated_at
    from jsonb_populate_recordset(null::accounts, rows) as r
    where r.state = 'deleted'
    on conflict (account_id) do nothing
$$;
