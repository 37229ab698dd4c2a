-- no-transaction
-- What api_tokens_expires_at leaves out: a list by expiry ends with the tokens that never do, by id.
-- Where every token has to expire, this is empty.
create index concurrently api_tokens_never_expires on api_tokens (coalesce(expires_at, 'infinity'), id)
    where expires_at is null;
