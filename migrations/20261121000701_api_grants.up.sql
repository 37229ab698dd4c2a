-- The API appends to the log and projects, keeps what belongs to management, and reads usage. It writes
-- none: what it erases of deleted accounts is all that it may do to usage. It cannot change or remove an
-- event, nor the answers of the ledger, which say what was counted.
grant select, insert on events to tollkeeper_api;
grant select, update on event_log_head to tollkeeper_api;
grant select, insert, update on accounts, account_profiles, api_tokens, api_token_secrets
    to tollkeeper_api;
grant select, insert, update on account_erasures, checkpoints to tollkeeper_api;
grant select, insert, update, delete on idempotency_keys to tollkeeper_api;
grant select, insert, update, delete on webhooks, webhook_secrets to tollkeeper_api;
grant select, insert, delete on webhook_attempts to tollkeeper_api;
grant select on webhook_prospects to tollkeeper_api;
grant select, insert, update, delete on revocation_jobs to tollkeeper_api;
grant select, insert, update on revocation_job_tokens to tollkeeper_api;
grant select, insert, update, delete on nodes to tollkeeper_api;

-- What its process has appended and what clients report waits here until an ingestor has counted it.
grant select, insert, update on usage_reporters to tollkeeper_api;
grant select, insert, delete on usage_reports, usage_report_ids to tollkeeper_api;

grant select on usage_sources, usage_ledger, usage_completeness, usage_partitions to tollkeeper_api;
grant select, delete on api_token_usage to tollkeeper_api;
grant select on api_token_usage_hourly, api_token_usage_daily, api_token_usage_totals, quota_balances
    to tollkeeper_api;
