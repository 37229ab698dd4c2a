-- The last attempts to deliver, so that people can see what their endpoint answered. Bounded per
-- webhook by whoever adds one; what was delivered is told by the webhook's position alone.
create table webhook_attempts (
    webhook_id   uuid        not null references webhooks (id) on delete cascade,
    id           uuid        not null,
    position     bigint      not null,
    event_id     uuid        not null,
    type         text        not null,
    attempted_at timestamptz not null,
    micros       bigint      not null check (micros >= 0),
    outcome      text        not null check (outcome in (
        'delivered', 'refused', 'timed_out', 'unreachable', 'address_not_allowed'
    )),
    status       integer     check (status between 100 and 999),
    detail       text        not null check (char_length(detail) <= 300),
    primary key (webhook_id, id)
);
