-- By whom else somebody is known: an identity of an OpenID Connect provider is one person here, for good.
create table console_identities (
    issuer     text        not null,
    subject    text        not null,
    person_id  uuid        not null references console_people (id) on delete cascade,
    created_at timestamptz not null,
    primary key (issuer, subject),
    -- An address that a provider gives to somebody else must not make them the same person.
    constraint console_identities_person unique (person_id, issuer),
    constraint console_identities_issuer check (length(issuer) between 1 and 2048),
    constraint console_identities_subject check (length(subject) between 1 and 255)
);
