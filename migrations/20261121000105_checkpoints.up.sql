-- How far each follower of the log has come. A follower leases its row, so that one process at a
-- time does the work; the fence grows with each new holder, and a checkpoint moves only for the
-- holder of the newest fence. Rows and not session locks, so that this works behind a connection
-- pooler.

create table checkpoints (
    name         text        primary key,
    position     bigint      not null check (position >= 0),
    fence        bigint      not null default 0,
    leased_until timestamptz not null default 'epoch'
);
