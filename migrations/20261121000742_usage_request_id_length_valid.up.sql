-- Reads the rows that there are, while others write.
alter table api_token_usage validate constraint api_token_usage_request_id_length;
