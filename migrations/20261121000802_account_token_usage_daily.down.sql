drop table account_token_usage_daily;
