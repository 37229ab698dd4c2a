//! What happens to tokens and accounts, who is told of it, and whether the books are right.

use super::dashboard::{Dashboard, Row};
use super::panel::Colour::{Blue, Grey, Red, Yellow};
use super::panel::Panel;
use super::query::{prom, rows};

pub(super) const UID: &str = "tollkeeper-lifecycle";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: UID,
        title: "Lifecycle and audit",
        description: "What happens to tokens and accounts, who is told of it, and whether the books are right.",
        since: "now-6h",
        variables: Vec::new(),
        rows: vec![log(), population(), told(), books()],
    }
}

fn log() -> Row {
    let position = Panel::stat("Events in the log")
        .about("The position of the log's head. `tollkeeper audit head` prints it with its hash.")
        .base(Blue)
        .ask(rows("select position from event_log_head"));
    let last = Panel::stat("Since the last event")
        .about("How long ago anything was changed.")
        .unit("s")
        .base(Grey)
        .decimals(0)
        .ask(rows(
            "select extract(epoch from now() - recorded_at)::float8 as seconds from event_log_head",
        ));
    let conflicts = Panel::stat("Conflicts")
        .about("Appends that were decided again because somebody else was first, in the time that is looked at.")
        .base(Blue)
        .decimals(0)
        .ask(prom("sum(increase(tollkeeper_event_conflicts_total[$__range]))", ""));
    let types = Panel::series("Events by type")
        .about("What was appended to the log, a minute.")
        .stacked()
        .ask(prom(
            "60 * sum by (type) (rate(tollkeeper_events_appended_total[$__rate_interval])) > 0 or label_replace(vector(0), \"type\", \"none\", \"\", \"\")",
            "{{type}}",
        ));
    let newest = Panel::table("The newest events")
        .about("Who did what to which token or account. `tollkeeper token history` tells the whole story of one.")
        .size(24, 9)
        .ask(rows(
            "select event.position, event.recorded_at, event.type, event.actor,
    coalesce(token.name, account.external_id, event.stream_id::text) as subject
from events event
left join api_tokens token on token.id = event.stream_id
left join accounts account on account.id = event.stream_id
where event.position > (select position - 50 from event_log_head)
order by event.position desc limit 50",
        ));
    Row::new(
        "The log",
        [
            position.size(4, 8),
            last.size(4, 8),
            conflicts.size(4, 8),
            types,
            newest,
        ],
    )
}

fn population() -> Row {
    let tokens = Panel::table("Tokens by state")
        .about("Expired is told by the clock: the state in the table stays active.")
        .size(8, 6)
        .ask(rows(
            "select environment, case when state = 'active' and expires_at <= now() then 'expired' else state end as state,
    count(*) as tokens
from api_tokens group by 1, 2 order by 1, 2",
        ));
    let accounts = Panel::table("Accounts by state")
        .about("Deleted ones stay as tombstones.")
        .size(8, 6)
        .ask(rows(
            "select state, count(*) as accounts from accounts group by 1 order by 1",
        ));
    let expiring = Panel::table("Tokens that expire soon")
        .about(
            "Active tokens, by how soon they end. Their holders are told 30, 7 and 1 days ahead.",
        )
        .size(8, 6)
        .ask(rows(
            "select ends.within, (
    select count(*) from api_tokens
    where state = 'active' and expires_at > now() and expires_at <= now() + ends.within::interval
) as tokens
from unnest(array['1 day', '7 days', '30 days']) as ends (within)",
        ));
    let work = Panel::table("Work in the background")
        .about("What follows on the deletion of an account or the revocation of many tokens.")
        .size(12, 6)
        .ask(rows(
            "select 'tokens to be revoked' as work, count(*) as waiting
from revocation_job_tokens token
join revocation_jobs job on job.id = token.job_id and job.state = 'running'
where token.outcome is null
union all
select 'deleted accounts whose usage is to be erased', count(*)
from account_erasures where finished_at is null",
        ));
    let nodes = Panel::table("Nodes that answer from memory")
        .about("How far each has applied the log, and until when it may answer without saying so again.")
        .size(12, 6)
        .ask(rows(
            "select name, version, head.position - nodes.position as behind, reported_at, valid_until
from nodes cross join event_log_head head
order by reported_at desc limit 20",
        ));
    Row::new(
        "Tokens and accounts",
        [tokens, accounts, expiring, work, nodes],
    )
}

fn told() -> Row {
    let relay = Panel::series("Not relayed yet")
        .about("The age of the oldest event that the stream LIFECYCLE lacks.")
        .unit("s")
        .from(60.0, Red)
        .size(8, 8)
        .ask(prom("max(tollkeeper_relay_lag_seconds)", "oldest"));
    let relayed = Panel::series("Relayed")
        .about("Events that the broker has taken, and how many wait.")
        .size(8, 8)
        .ask(prom(
            "60 * sum(rate(tollkeeper_relay_published_total[$__rate_interval]))",
            "a minute",
        ))
        .ask(prom("max(tollkeeper_relay_lag_events)", "waiting"));
    let webhooks = Panel::series("Deliveries to webhooks")
        .about("By how they ended, a minute. What is not delivered is sent again for days.")
        .stacked()
        .size(8, 8)
        .ask(prom(
            "60 * sum by (outcome) (rate(tollkeeper_webhook_attempts_total[$__rate_interval]))",
            "{{outcome}}",
        ));
    let endpoints = Panel::table("Webhooks by state")
        .about("Failing: enabled, and nothing was taken by the last attempt.")
        .size(8, 6)
        .ask(rows(
            "select states.state, count(webhooks.state) as webhooks,
    count(*) filter (where webhooks.failures > 0) as failing
from unnest(array['enabled', 'disabled']) as states (state)
left join webhooks on webhooks.state = states.state
group by 1 order by 1 desc",
        ));
    let disabled = Panel::stat("Webhooks disabled")
        .about("By us, in the time that is looked at: gone (410), or failing for days.")
        .from(1.0, Yellow)
        .decimals(0)
        .size(8, 6)
        .ask(prom(
            "sum by (reason) (increase(tollkeeper_webhooks_disabled_total[$__range]))",
            "{{reason}}",
        ));
    let slow = Panel::stat("99 % of deliveries took at most")
        .about("An endpoint has 20 s; nothing was delivered in five minutes if it says no deliveries.")
        .unit("s")
        .base(Blue)
        .says("-1", "no deliveries", Grey)
        .size(8, 6)
        .ask(prom(
            "(histogram_quantile(0.99, sum by (le) (rate(tollkeeper_webhook_attempt_seconds_bucket[5m]))) >= 0) or vector(-1)",
            "",
        ));
    Row::new(
        "Who is told",
        [relay, relayed, webhooks, endpoints, disabled, slow],
    )
}

fn books() -> Row {
    let differing = Panel::stat("Sums that differ from their rows")
        .about("Found by the audit of the last whole hour. `tollkeeper rollups verify` compares everything.")
        .from(1.0, Red)
        .size(12, 5)
        .ask(prom("max by (sums) (tollkeeper_usage_audit_differing)", "{{sums}}"));
    let age = Panel::stat("Since the last audit")
        .about("Each ingestor audits the last whole hour when it is over.")
        .unit("s")
        .decimals(0)
        .from(7500.0, Yellow)
        .from(10800.0, Red)
        .size(6, 5)
        .ask(prom(
            "time() - max(tollkeeper_usage_audit_timestamp_seconds)",
            "",
        ));
    let covered = Panel::stat("Requests audited")
        .about("Of the audited hour: compared with their rows, or left out as too many.")
        .base(Blue)
        .size(6, 5)
        .ask(prom(
            "max by (outcome) (tollkeeper_usage_audit_requests)",
            "{{outcome}}",
        ));
    Row::new("Are the books right?", [differing, age, covered])
}
