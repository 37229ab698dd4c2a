drop table api_token_usage_daily;
