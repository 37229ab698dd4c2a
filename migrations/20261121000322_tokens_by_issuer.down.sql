create index api_tokens_issued_by on api_tokens (issued_by) where issued_by is not null;
drop index api_tokens_issuer;
