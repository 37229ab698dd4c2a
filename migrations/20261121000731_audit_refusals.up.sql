-- Attempts at management that were refused. One row stands for all that are alike within a minute of one
-- process: the same caller (or, where nobody knows who it was, the same network), operation and code.
--
-- Processes write such rows in batches beside the requests, and again with a higher count while the minute
-- lasts. A row is known by its process and the number that this gave it, and carries its whole count: so a
-- batch whose outcome is not known can be written again without counting twice.
create table audit_refusals (
    number     bigint      generated always as identity primary key,
    run_id     uuid        not null,
    serial     bigint      not null,
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    count      bigint      not null,
    -- Whose credential it was, where it is known, whether or not it was good for anything.
    actor      text,
    account_id uuid,
    -- Where one of them came from, as a /24 or /48.
    network    text,
    -- Method and route. None, like the code, in a row that stands for attempts that were too many and too
    -- different to be told apart.
    operation  text,
    status     smallint,
    code       text,
    -- Of one of them: what it was about, and its request.
    subject_id uuid,
    request_id text,
    constraint audit_refusals_run unique (run_id, serial),
    constraint audit_refusals_times check (first_at <= last_at),
    constraint audit_refusals_count check (count > 0),
    constraint audit_refusals_told
        check ((operation is null) = (code is null) and (operation is null) = (status is null))
);

create index audit_refusals_first on audit_refusals (first_at, number);
create index audit_refusals_actor on audit_refusals (actor, first_at, number) where actor is not null;
create index audit_refusals_operation on audit_refusals (operation, first_at, number);
create index audit_refusals_account on audit_refusals (account_id, first_at, number)
    where account_id is not null;
create index audit_refusals_subject on audit_refusals (subject_id, first_at, number)
    where subject_id is not null;
