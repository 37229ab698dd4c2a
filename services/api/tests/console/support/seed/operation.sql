insert into nodes (id, name, version, registered_at, position, reported_at, valid_until, registered_by)
select id, name, '0.1.0', now() - interval '9 days', position - behind, now() - said,
    now() - said + interval '1 hour', registered_by
from event_log_head, (values
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e01'::uuid, 'gateway-2', 0, interval '1 second', null),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e02'::uuid, 'gateway-3', 17, interval '4 seconds', null),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e03'::uuid, 'shop-service', 41, interval '3 hours',
     'token:019aa5d0-7c1d-7b2e-9a3f-1b2c3d4e5f60')
) as others (id, name, behind, said, registered_by);

-- One source has a hole, one is of a process that vanished, one is on its way.
insert into usage_reporters
    (id, name, started_at, seen_at, sources, marked_at, appended, checked_at, checked, complete_through,
     ended_at)
select id, name, now() - interval '2 days', now() - said + ahead, array[id], now() - said, array[appended],
    now() - said - interval '1 second', array[appended - 20], now() - said - interval '1 second', null
from (values
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e11'::uuid, 'gateway-2', interval '1 second', interval '1 hour', 48211::bigint),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e12'::uuid, 'gateway-3', interval '2 seconds', interval '1 hour', 12031::bigint),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e13'::uuid, 'gateway-9', interval '26 minutes', interval '0', 9120::bigint)
) as sources (id, name, said, ahead, appended);

insert into usage_sources (source, final_sequence)
select id, null from usage_reporters where name like 'gateway-%';

insert into usage_ledger (source, first, last, outcome) values
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e11', 1, 48150, 'counted'),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e12', 1, 12000, 'counted'),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e12', 12003, 12020, 'counted'),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e12', 12021, 12021, 'dead'),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e13', 1, 9000, 'counted'),
    ('019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e13', 9001, 9030, 'dropped');

insert into usage_dead_letters
    (received_at, source, first, last, reason, detail, kind, subject, payload, replay_asked_at, replay_failure)
select now() - number * interval '3 hours 11 minutes', source, case when source is not null then 12000 + number end,
    12000 + number + spread, reason, detail, kind, 'usage.events', decode(repeat('5f', 100 + number * 37), 'hex'), asked, failure
from (values
    (1, '019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e12'::uuid, 0, 'refused', 'new row for relation "api_token_usage" violates check constraint "api_token_usage_response_time_positive"', 'record', null::timestamptz, null),
    (2, '019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e12'::uuid, 0, 'refused', 'new row for relation "api_token_usage" violates check constraint "api_token_usage_response_time_positive"', 'record', now() - interval '40 seconds', null),
    (3, '019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e13'::uuid, 63, 'overlap', 'the numbers 9,001 to 9,064 straddle others that are settled', 'message', null, 'the numbers straddle others that are settled'),
    (4, null, null, 'undecodable', 'the message does not begin as one of usage does: <html><body>502 Bad Gateway', 'message', null, null)
) as letters (number, source, spread, reason, detail, kind, asked, failure);
