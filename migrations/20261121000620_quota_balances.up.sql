-- How much of each quota was used: a row for each balance and each source that used of it. A balance is
-- one period of one generation of a quota; the quota itself is in the log and has no balance.
--
-- A row for each source, because a node knows better than this table what went through itself and is
-- still on its way here: it adds what the other sources used to what it let through. A row changes in
-- the transaction of the ledger's ranges of its source, under the lock of that source, so that nothing
-- counts twice and no two ingestors wait for each other here.
--
-- No foreign key: what is counted late is counted, whatever has become of the token or the account.
create table quota_balances (
    -- The token, or the account for all its tokens together.
    owner      uuid    not null,
    generation integer not null constraint quota_balances_generation_positive check (generation > 0),
    -- The first day of the period by UTC; 1970-01-01 for what is never refilled.
    period     date    not null,
    source     uuid    not null,
    used       bigint  not null constraint quota_balances_used_positive check (used > 0),
    constraint quota_balances_pkey primary key (owner, generation, period, source)
)
-- Each batch updates hot rows: room on the page lets the update stay there (HOT).
with (fillfactor = 70);
