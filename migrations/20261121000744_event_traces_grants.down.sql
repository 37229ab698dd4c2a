revoke all on event_traces from tollkeeper_api;
revoke update (event_id) on event_traces from tollkeeper_api;
