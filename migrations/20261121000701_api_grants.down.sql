revoke all on events, event_log_head, accounts, account_profiles, api_tokens, api_token_secrets,
    account_erasures, checkpoints, idempotency_keys, webhooks, webhook_secrets, webhook_attempts,
    webhook_prospects, revocation_jobs, revocation_job_tokens, nodes, usage_reporters, usage_reports,
    usage_report_ids, usage_sources, usage_ledger, usage_completeness, usage_partitions,
    api_token_usage, api_token_usage_hourly, api_token_usage_daily, api_token_usage_totals,
    quota_balances
    from tollkeeper_api;
