-- Where lifecycle events are sent to, as somebody has set it up, and how far each one has come.
-- These rows are configuration and no projection: the log does not hold them, and a rebuild leaves
-- them alone.
--
-- `position` is the cursor: events up to it are done. It moves only for whoever holds the newest
-- fence, so that a process that lost its lease, or whose endpoint was replayed or changed meanwhile,
-- cannot set it back or forward.
create table webhooks (
    id              uuid        primary key,
    -- Whose events are sent; null for everybody's. No foreign key: accounts are a projection, which a
    -- rebuild swaps, and an account that was there once never goes away.
    account_id      uuid,
    url             text        not null check (char_length(url) between 1 and 2048),
    -- The types of events that are sent; none for all.
    types           text[]      not null check (cardinality(types) <= 100),
    description     text        not null check (char_length(description) <= 500),
    state           text        not null check (state in ('enabled', 'disabled')),
    disabled_reason text        check (disabled_reason in ('by_request', 'gone', 'failing')),
    version         bigint      not null check (version > 0),
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    position        bigint      not null check (position >= 0),
    -- Since when, and how often in a row, nothing was taken; and when the next attempt is due.
    failing_since   timestamptz,
    failures        integer     not null default 0 check (failures >= 0),
    retry_at        timestamptz,
    fence           bigint      not null default 0,
    leased_until    timestamptz not null default 'epoch',
    constraint webhooks_reason_if_disabled
        check ((state = 'disabled') = (disabled_reason is not null))
);

create index webhooks_account on webhooks (account_id, id);
