-- Browsers in which somebody has signed in before, so that whoever guesses elsewhere does not shut them out. What
-- the browser's cookie holds is here as its SHA-256 alone. It is no way in.
create table console_devices (
    secret_hash bytea       primary key,
    person_id   uuid        not null references console_people (id) on delete cascade,
    -- When they last signed in with it.
    used_at     timestamptz not null,
    constraint console_devices_secret_hash check (length(secret_hash) = 32)
);

create index console_devices_person on console_devices (person_id, used_at);
create index console_devices_used on console_devices (used_at);
