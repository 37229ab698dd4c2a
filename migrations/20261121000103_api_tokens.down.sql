drop function project_api_token_secrets(jsonb);
drop function project_api_tokens(jsonb);
drop table api_token_secrets;
drop table api_tokens;
