-- The ingestor writes usage and nothing else. Of tokens and accounts it reads whose a token is and
-- whether the account is deleted, for its audit; hashes of secrets, names and the log are none of its
-- concern.
grant select, insert, update on usage_sources to tollkeeper_ingestor;
grant select, insert, delete on usage_ledger to tollkeeper_ingestor;
grant select, insert on api_token_usage to tollkeeper_ingestor;
grant select, insert, update, delete on api_token_usage_hourly, api_token_usage_daily
    to tollkeeper_ingestor;
grant select, insert, update on api_token_usage_totals to tollkeeper_ingestor;
grant select, insert, update, delete on usage_dead_letters, quota_balances to tollkeeper_ingestor;
grant select on usage_partitions, usage_completeness to tollkeeper_ingestor;

-- Locking a row takes the right to change something of it. The API writes what is reported.
grant select, update (id), delete on usage_reports to tollkeeper_ingestor;
grant select, update (received_at), delete on usage_report_ids to tollkeeper_ingestor;

grant select (id, account_id, created_at) on api_tokens to tollkeeper_ingestor;
grant select (id, state) on accounts to tollkeeper_ingestor;
