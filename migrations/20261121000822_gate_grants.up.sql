-- A gate judges tokens: it reads what decides about them, by the hashes of their secrets, and the log for what
-- changes. Names, addresses and sealed secrets are none of its concern, and it can change none of this.
grant select (secret_hash, token_id, valid_until) on api_token_secrets to tollkeeper_gate;
grant select (id, account_id, environment, scopes, allowed_cidrs, rate_limits, quotas, not_before, expires_at,
    state, version) on api_tokens to tollkeeper_gate;
grant select (id, role, state, version, rate_limits, quotas) on accounts to tollkeeper_gate;
grant select (position, hash, generation) on event_log_head to tollkeeper_gate;
grant select (position, stream_type, stream_id, stream_version, type, payload, recorded_at, hash)
    on events to tollkeeper_gate;

-- It reads what was counted of its usage and of quotas, and counts nothing.
grant select (source, final_sequence) on usage_sources to tollkeeper_gate;
grant select (source, first, last) on usage_ledger to tollkeeper_gate;
grant select (owner, generation, period, source, used) on quota_balances to tollkeeper_gate;

-- It says that it is there, how far it has got and what it has appended, and removes the rows of nodes that are
-- long gone. A row that was registered over the API it cannot take over.
grant select, insert, update (position, reported_at, valid_until), delete on nodes to tollkeeper_gate;
grant select, insert, update (seen_at, marked_at, appended, ended_at, checked_at, checked, complete_through)
    on usage_reporters to tollkeeper_gate;
