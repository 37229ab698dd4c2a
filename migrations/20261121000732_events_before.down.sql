drop function events_before(timestamptz);
