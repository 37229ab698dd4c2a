-- What was done by those who may and left no event, because it changed no token and no account: webhooks,
-- nodes that were forgotten, exports, reports of leaks, repairs from a shell. What did change a token or an
-- account is in the log and is not repeated here.
--
-- A row comes in the transaction of what it tells of, or is committed before it begins. It holds no secret,
-- no address of a webhook, and nothing that was exported. No foreign keys: it outlives what it is about.
create table audit_entries (
    number       bigint      generated always as identity primary key,
    recorded_at  timestamptz not null default clock_timestamp(),
    -- `operator:<name>`, `token:<id>` or `account:<id>` as in the log, or `database:<login>` for whoever
    -- came past the API.
    actor        text        not null,
    action       text        not null,
    -- Whose it is; none for what concerns no account alone.
    account_id   uuid,
    subject_type text        not null,
    subject_id   uuid,
    request_id   text,
    details      jsonb       not null default '{}',
    constraint audit_entries_details check (jsonb_typeof(details) = 'object')
);

-- One for each way to ask, all in the order of pages.
create index audit_entries_recorded on audit_entries (recorded_at, number);
create index audit_entries_actor on audit_entries (actor, recorded_at, number);
create index audit_entries_action on audit_entries (action, recorded_at, number);
create index audit_entries_account on audit_entries (account_id, recorded_at, number)
    where account_id is not null;
create index audit_entries_subject on audit_entries (subject_id, recorded_at, number)
    where subject_id is not null;
