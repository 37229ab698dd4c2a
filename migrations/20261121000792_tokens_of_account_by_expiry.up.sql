-- no-transaction
-- Lists the tokens of an account by their expiry, and then those that never expire by id. Without null, rows
-- of these columns can be compared, account and all, so that no page is looked for in another order.
create index concurrently api_tokens_account_expires_at
    on api_tokens (account_id, coalesce(expires_at, 'infinity'), id);
