-- As for the sums by token: the ingestor writes them, the API and dashboards read them.
grant select, insert, update, delete
    on account_usage_hourly, account_usage_daily, account_token_usage_daily to tollkeeper_ingestor;
grant select on account_usage_hourly, account_usage_daily, account_token_usage_daily
    to tollkeeper_api, tollkeeper_dashboards;
