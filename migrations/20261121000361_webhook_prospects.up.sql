-- What each enabled webhook has before it: the first event for it among the next 2,000 positions of
-- the log, and how far that look goes. The look has this bound so that neither a rare type nor a
-- replay has the whole log read at once; whoever finds nothing moves the cursor on and looks again.
-- The head is a subquery and no join, so that cursors are compared with it before any look.
-- Nothing projected is named here: a rebuild swaps those tables.
create view webhook_prospects as
select
    w.id,
    w.account_id,
    w.position,
    w.retry_at,
    w.leased_until,
    w.fence,
    (select h.position from event_log_head as h) as head,
    least((select h.position from event_log_head as h), w.position + 2000) as seen_to,
    case
        when w.account_id is null then (
            select e.position from events as e
            where e.position > w.position and e.position <= w.position + 2000
                and (w.types = '{}' or e.type = any (w.types))
            order by e.position limit 1
        )
        else (
            select e.position from events as e
            where e.account_id = w.account_id
                and e.position > w.position and e.position <= w.position + 2000
                and (w.types = '{}' or e.type = any (w.types))
            order by e.position limit 1
        )
    end as next_event
from webhooks as w
where w.state = 'enabled' and w.position < (select h.position from event_log_head as h);
