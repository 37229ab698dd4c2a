-- no-transaction
-- Lists all tokens by name, whatever the case, and tokens of one name by id. The order is that of code
-- points after lower-casing: it is the same on every server and needs no rebuild when the operating system
-- brings other collations.
create index concurrently api_tokens_sorted_name on api_tokens (lower(name) collate "C", id);
