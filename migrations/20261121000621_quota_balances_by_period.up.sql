-- Upkeep finds what is long over without reading the rest. What is never refilled is never over.
create index quota_balances_period on quota_balances (period) where period <> '1970-01-01';
