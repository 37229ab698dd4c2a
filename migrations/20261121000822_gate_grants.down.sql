revoke all on api_token_secrets, api_tokens, accounts, event_log_head, events, usage_sources, usage_ledger,
    quota_balances, nodes, usage_reporters from tollkeeper_gate;
