-- Who registered the node over the API, as events name an actor; null for one that reads and writes
-- the database itself. Nobody else may renew, move or remove its row: receipts rest on what it says.
alter table nodes add column registered_by text check (octet_length(registered_by) <= 200);
