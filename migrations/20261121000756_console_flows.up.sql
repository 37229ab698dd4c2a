-- Sign-ins that are under way at an OpenID Connect provider, each to be ended once. What the provider is shown
-- (state, nonce, PKCE) is derived from a secret in the browser's cookie alone; here is its SHA-256.
create table console_flows (
    secret_hash bytea       primary key,
    -- Where the way leads then, below /console.
    next        text        not null,
    expires_at  timestamptz not null,
    constraint console_flows_secret_hash check (length(secret_hash) = 32),
    constraint console_flows_next check (length(next) <= 2048)
);

create index console_flows_expiry on console_flows (expires_at);
