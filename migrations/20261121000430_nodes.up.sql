-- The nodes that answer from memory, so that whoever takes a right away can be told where it is gone.
-- A node is written here before it answers for the first time, and then each time that it looks at
-- the log. Every look changes its row: room is left for that beside the row.
create table nodes (
    id uuid primary key,
    name text not null,
    version text not null,
    registered_at timestamptz not null,
    -- Up to where it has applied the log; null while it has not, or has applied another one.
    position bigint check (position >= 0),
    reported_at timestamptz not null,
    -- It answers nothing after this unless it has reported again; null where it was told to go on
    -- without the database for as long as it runs.
    valid_until timestamptz
) with (fillfactor = 50);
