alter table api_token_usage drop column request_id;
