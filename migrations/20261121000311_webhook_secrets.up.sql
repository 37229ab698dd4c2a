-- What the deliveries of a webhook are signed with. Sealed: whoever reads the database cannot sign.
-- After a rotation the old secret signs beside the new one until `valid_until`.
create table webhook_secrets (
    webhook_id  uuid        not null references webhooks (id) on delete cascade,
    id          uuid        not null,
    sealed      bytea       not null,
    valid_until timestamptz,
    primary key (webhook_id, id)
);

-- One that signs without end.
create unique index webhook_secrets_current on webhook_secrets (webhook_id)
where valid_until is null;
