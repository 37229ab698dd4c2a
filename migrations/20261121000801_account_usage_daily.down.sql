drop table account_usage_daily;
