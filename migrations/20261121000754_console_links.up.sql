-- Links by which somebody sets a password, once. Whoever has one is let in, so there is its SHA-256 alone, and
-- a person has one at most.
create table console_links (
    secret_hash bytea       primary key,
    person_id   uuid        not null unique references console_people (id) on delete cascade,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    constraint console_links_secret_hash check (length(secret_hash) = 32)
);

create index console_links_expiry on console_links (expires_at);
