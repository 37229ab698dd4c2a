-- How much of its allowance of attempts to sign in an address, or a network, has used up. Known by a SHA-256:
-- people type a password where their address belongs.
create table console_attempts (
    who_hash bytea       primary key,
    -- When the allowance is whole again; each attempt moves it on (a token bucket in one value).
    whole_at timestamptz not null,
    constraint console_attempts_who_hash check (length(who_hash) = 32)
);

create index console_attempts_whole on console_attempts (whole_at);
