-- Dead letters for people: all but what they hold, which may be anything. Whoever may use this and not the
-- table sees no calls and no addresses in it, and can ask that letters be tried again and nothing else.
create view usage_dead_letter_list as
select id, received_at, reason, detail, kind, source, first, last, octet_length(payload) as bytes,
    replay_asked_at, replay_failure
from usage_dead_letters;
