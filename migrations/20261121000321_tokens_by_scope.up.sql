-- Lists the tokens that hold a scope. Tokens have few scopes and those repeat, so each entry is
-- written at once.
create index api_tokens_scopes on api_tokens using gin (scopes) with (fastupdate = off);
