-- The usage ledger forbids overlapping ranges of one source by an exclusion constraint, which needs
-- uuid equality in a GiST index. The extension is a trusted one: no superuser is needed.
create extension if not exists btree_gist;
