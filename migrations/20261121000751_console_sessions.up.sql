-- Who is signed in to the console. The secret is in the browser's cookie alone; here is its SHA-256.
create table console_sessions (
    secret_hash bytea       primary key,
    -- Names the session where it is shown, so that the hash need not.
    id          uuid        not null unique,
    person_id   uuid        not null references console_people (id) on delete cascade,
    created_at  timestamptz not null,
    -- When it was last used, to the minute.
    seen_at     timestamptz not null,
    -- It ends then, used or not.
    expires_at  timestamptz not null,
    -- Where it was begun, as far as addresses are kept, and by what browser.
    network     text,
    browser     text        not null,
    constraint console_sessions_secret_hash check (length(secret_hash) = 32)
);

create index console_sessions_person on console_sessions (person_id);
create index console_sessions_expiry on console_sessions (expires_at);
