drop table account_usage_hourly;
