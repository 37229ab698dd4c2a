-- What a notice is due for, by the last one that was given: one range of this for each notice, so
-- that the many that were told already are not passed over again and again.
create index api_tokens_expiry_notice on api_tokens (coalesce(expiry_notice, 31), expires_at, id)
    where state <> 'revoked' and expires_at is not null;
