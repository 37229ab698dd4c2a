//! What happens to tokens and accounts, who is told of it, and whether the books are right.

use super::dashboard::{Dashboard, Row};
use super::panel::Colour::{Blue, Grey, Red, Yellow};
use super::panel::Panel;
use super::query::{over_time, prom, rows};

pub(super) const UID: &str = "tollkeeper-lifecycle";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: UID,
        title: "Lifecycle and audit",
        description: "What happens to tokens and accounts, who is told of it, and whether the books are right.",
        since: "now-6h",
        variables: Vec::new(),
        rows: vec![log(), audit(), population(), told(), books()],
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
    Row::new(
        "The log",
        [
            position.size(4, 8),
            last.size(4, 8),
            conflicts.size(4, 8),
            types,
        ],
    )
}

fn audit() -> Row {
    let refused = Panel::stat("Refused attempts")
        .about("Attempts at management that were refused, in the time that is looked at. What gateways ask about tokens is not among them.")
        .base(Blue)
        .decimals(0)
        .ask(prom("sum(increase(tollkeeper_audit_refusals_total[$__range]))", ""));
    let left_out = Panel::stat("Not told apart")
        .about("Refused attempts that were so many and so different that the audit log tells of no more than their number.")
        .from(1.0, Yellow)
        .decimals(0)
        .ask(prom(
            "sum(increase(tollkeeper_audit_refusals_total{outcome=\"left_out\"}[$__range]))",
            "",
        ));
    let waiting = Panel::stat("Not written yet")
        .about("Rows of refused attempts in memory. They are written every second; what stays shows that Postgres takes none.")
        .from(500.0, Yellow)
        .from(4000.0, Red)
        .ask(prom("max(tollkeeper_audit_refusals_waiting)", ""));
    let codes = Panel::series("Refused attempts by code")
        .about("A minute, at management. Not told apart: too many different ones in one minute.")
        .stacked()
        .ask(over_time(
            "select date_trunc('minute', first_at) as time, coalesce(code, 'not told apart') as metric,
    sum(count)::float8 as attempts
from audit_refusals where $__timeFilter(first_at) group by 1, 2 order by 1",
        ));
    let operations = Panel::table("Refused attempts by operation and code")
        .about("In the time that is looked at. `GET /v1/audit?outcome=refused` tells who it was, and from which network.")
        .ask(rows(
            "select coalesce(operation, 'not told apart') as operation, code, sum(count)::bigint as attempts,
    count(distinct actor) as known_callers, max(last_at) as last
from audit_refusals where $__timeFilter(first_at)
group by audit_refusals.operation, code order by attempts desc limit 50",
        ));
    let actions = Panel::table("Recent management actions")
        .about("Who did what to which token, account or other thing. `GET /v1/audit` tells of all of them, and `tollkeeper token history` the whole story of one token.")
        .size(24, 9)
        .ask(rows(
            "select line.recorded_at, line.action, line.actor, line.subject_type,
    coalesce(token.name, account.external_id, line.subject_id::text) as subject, line.position
from (
    (select recorded_at, type as action, actor, stream_type as subject_type, stream_id as subject_id, position
    from events where position > (select position - 50 from event_log_head))
    union all
    (select recorded_at, action, actor, subject_type, subject_id, null
    from audit_entries order by recorded_at desc limit 50)
) line
left join api_tokens token on token.id = line.subject_id
left join accounts account on account.id = line.subject_id
order by line.recorded_at desc, line.position desc limit 50",
        ));
    Row::new(
        "Who did what, and who was refused what",
        [
            refused.size(4, 8),
            left_out.size(4, 8),
            waiting.size(4, 8),
            codes,
            operations.size(24, 8),
            actions,
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
