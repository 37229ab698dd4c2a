-- Lists test tokens in the order of the list, where they are few among many. Issuing for production
-- does not touch it.
create index api_tokens_environment on api_tokens (environment, id) where environment <> 'live';
