revoke all on api_token_usage_hourly, api_token_usage_daily, api_token_usage_totals, usage_partitions,
    accounts, account_profiles, api_tokens, event_log_head, events, checkpoints, nodes, revocation_jobs,
    revocation_job_tokens, account_erasures, webhooks, usage_reporters, usage_dead_letters
    from tollkeeper_dashboards;
