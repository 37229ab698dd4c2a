-- Whoever appends notes it, whoever tells of events reads it, and what is old is removed by the API alone.
grant select, insert, delete on event_traces to tollkeeper_api;
-- To remove rows that no other process removes at the time, they are locked, which takes this; no column
-- is ever changed.
grant update (event_id) on event_traces to tollkeeper_api;
