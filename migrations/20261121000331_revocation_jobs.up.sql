-- Revocations of many tokens: what was planned or begun, and how far it has come. A job is worked
-- off in chunks by whichever process takes its lease, so it outlives all of them.
create table revocation_jobs (
    id           uuid        primary key,
    -- Whose tokens it may reach: those of one account, or everybody's.
    account_id   uuid,
    -- Which tokens: those that a filter matched when it was planned, or those that descend from one.
    filter       jsonb,
    root_id      uuid,
    reason       text        not null,
    state        text        not null,
    -- Who runs it, and in which request: the events that it causes say so.
    actor        text,
    request_id   text,
    created_at   timestamptz not null,
    -- Until when a plan may be run.
    expires_at   timestamptz,
    started_at   timestamptz,
    finished_at  timestamptz,
    leased_until timestamptz not null default 'epoch',
    constraint revocation_jobs_kind check ((filter is null) <> (root_id is null)),
    constraint revocation_jobs_plan check ((filter is null) = (expires_at is null)),
    constraint revocation_jobs_state check (state in ('planned', 'running', 'done')),
    constraint revocation_jobs_started check (
        (state = 'planned') = (started_at is null)
        and (started_at is null) = (actor is null) and (actor is null) = (request_id is null)
    ),
    constraint revocation_jobs_finished check ((state = 'done') = (finished_at is not null))
);

create index revocation_jobs_running on revocation_jobs (started_at) where state = 'running';
create index revocation_jobs_age on revocation_jobs (coalesce(finished_at, expires_at))
    where state <> 'running';

-- The tokens of each. No foreign key to the tokens: a plan must not stand in the way of anything
-- that is done to the projected tables.
create table revocation_job_tokens (
    job_id   uuid not null references revocation_jobs (id) on delete cascade,
    token_id uuid not null,
    -- What came of it; null while it is still to be done.
    outcome  text,
    constraint revocation_job_tokens_pkey primary key (job_id, token_id),
    constraint revocation_job_tokens_outcome check (outcome in ('revoked', 'already_revoked'))
);

create index revocation_job_tokens_pending on revocation_job_tokens (job_id, token_id)
    where outcome is null;

-- A cascade begins in the transaction that revokes its root: neither is ever there alone.
create function project_revocation_jobs(rows jsonb) returns void language sql as $$
    insert into revocation_jobs
    select r.* from jsonb_populate_recordset(null::revocation_jobs, rows) as r order by r.id
$$;

-- What came of a token is written in the transaction of its event, so that it is counted once.
create function project_revocation_job_tokens(rows jsonb) returns void language sql as $$
    update revocation_job_tokens as t
    set outcome = r.outcome
    from jsonb_populate_recordset(null::revocation_job_tokens, rows) as r
    where t.job_id = r.job_id and t.token_id = r.token_id and t.outcome is null
$$;
