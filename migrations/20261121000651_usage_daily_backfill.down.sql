delete from api_token_usage_daily;
