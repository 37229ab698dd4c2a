-- no-transaction
-- The same within an account: one that has few of a million tokens has its list at once.
create index concurrently api_tokens_account_name
    on api_tokens (account_id, lower(name) collate "C", id);
