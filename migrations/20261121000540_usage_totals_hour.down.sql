alter table api_token_usage_totals drop column last_used_hour;
