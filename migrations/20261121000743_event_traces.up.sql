-- Which trace an event is part of, as the headers of W3C Trace Context tell it, for the broker and for
-- webhooks, which are told of the event later and perhaps by another process. Beside the log and not in
-- it: a trace is no fact, is not hashed, and goes after some days. No foreign key: it is written before
-- the event, and what became of no event goes with the rest.
create table event_traces (
    event_id    uuid        primary key,
    traceparent text        not null,
    tracestate  text,
    noted_at    timestamptz not null default clock_timestamp(),
    constraint event_traces_traceparent_length check (octet_length(traceparent) = 55),
    constraint event_traces_tracestate_length check (octet_length(tracestate) between 1 and 512)
);

-- Serves the removal of what is old.
create index event_traces_noted_at on event_traces (noted_at);
