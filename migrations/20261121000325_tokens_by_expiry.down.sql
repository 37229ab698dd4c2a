create index api_tokens_expiry on api_tokens (expires_at, id) where state <> 'revoked';
drop index api_tokens_expires_at;
