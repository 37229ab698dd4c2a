-- Lists tokens by their expiry, revoked ones too, and finds what expires soon. It takes the place of
-- the one that left revoked tokens out. Tokens that never expire are not in it.
--
-- The list has no index for the last use: every batch of usage changes it, and an index on it would
-- end the updates within the page (HOT) that counting relies on.
create index api_tokens_expires_at on api_tokens (expires_at, id) where expires_at is not null;
drop index api_tokens_expiry;
