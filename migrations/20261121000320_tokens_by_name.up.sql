-- The search of the list: finds names by a part of them. pg_trgm comes with PostgreSQL's own
-- additional modules, and the owner of a database may create it. A name has a dozen trigrams and
-- more, so entries are gathered and merged by the hundred; the small limit keeps each merge short,
-- because whoever issues a token waits for it.
--
-- This index and the next ones are built while writes wait: no release is older than they are.
create extension if not exists pg_trgm;
create index api_tokens_name on api_tokens using gin (name gin_trgm_ops)
    with (gin_pending_list_limit = 256);
