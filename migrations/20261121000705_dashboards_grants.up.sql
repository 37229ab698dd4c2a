-- Dashboards show how much and how well, and whose: sums of usage, states, positions and times, by the
-- names that operators gave to accounts and tokens. Single calls, payloads, hashes, sealed secrets,
-- addresses of people and of webhooks are not for them, so columns are granted and not tables where a table
-- has more.
grant select on api_token_usage_hourly, api_token_usage_daily, api_token_usage_totals, usage_partitions
    to tollkeeper_dashboards;

grant select (id, external_id, state) on accounts to tollkeeper_dashboards;
grant select (account_id, name) on account_profiles to tollkeeper_dashboards;
grant select (id, account_id, name, environment, state, expires_at, created_at) on api_tokens
    to tollkeeper_dashboards;

grant select (position, recorded_at) on event_log_head to tollkeeper_dashboards;
grant select (position, type, stream_type, stream_id, account_id, actor, recorded_at) on events
    to tollkeeper_dashboards;
grant select (name, position) on checkpoints to tollkeeper_dashboards;
grant select (name, version, position, reported_at, valid_until) on nodes to tollkeeper_dashboards;

grant select (id, state) on revocation_jobs to tollkeeper_dashboards;
grant select (job_id, outcome) on revocation_job_tokens to tollkeeper_dashboards;
grant select (finished_at) on account_erasures to tollkeeper_dashboards;
grant select (state, disabled_reason, failures) on webhooks to tollkeeper_dashboards;

grant select (name, started_at, seen_at, appended, complete_through, ended_at) on usage_reporters
    to tollkeeper_dashboards;
grant select (reason, received_at) on usage_dead_letters to tollkeeper_dashboards;
