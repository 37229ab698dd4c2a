-- Lists suspended and revoked tokens in the order of the list. Tokens are issued as active, so
-- issuing does not touch it.
create index api_tokens_state on api_tokens (state, id) where state <> 'active';
