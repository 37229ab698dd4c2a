revoke all on account_usage_hourly, account_usage_daily, account_token_usage_daily
    from tollkeeper_dashboards, tollkeeper_api, tollkeeper_ingestor;
