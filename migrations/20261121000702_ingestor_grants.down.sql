revoke all on usage_sources, usage_ledger, api_token_usage, api_token_usage_hourly,
    api_token_usage_daily, api_token_usage_totals, usage_dead_letters, quota_balances,
    usage_partitions, usage_completeness, usage_reports, usage_report_ids, api_tokens, accounts
    from tollkeeper_ingestor;
