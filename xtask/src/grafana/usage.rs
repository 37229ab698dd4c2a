//! Who called what, how often, with which outcome: from the sums in PostgreSQL.

use super::dashboard::{Dashboard, Row, Variable};
use super::panel::Colour::{Blue, Red, Yellow};
use super::panel::Panel;
use super::query::{over_time, rows};
use super::usage_sql::{histogram, over_calls, quantile};

/// Accounts by their names.
const ACCOUNTS: &str = "select coalesce(name, external_id, id::text) as __text, id::text as __value
from accounts left join account_profiles on account_id = id
where state <> 'deleted'
order by 1 limit 1000";

/// Tokens of the chosen account. Names need not be unique: the end of the id tells them apart.
const TOKENS: &str =
    "select name || ' (' || right(id::text, 6) || ')' as __text, id::text as __value
from api_tokens
where ${account:sqlstring} = 'all' or account_id = nullif(${account:sqlstring}, 'all')::uuid
order by id desc limit 1000";

/// The name of an account in a statement that has joined both tables.
const ACCOUNT: &str = "coalesce(profile.name, account.external_id, account.id::text)";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "tollkeeper-usage",
        title: "Usage",
        description: "Who called what, how often and with which outcome, from the sums by hour, or by day beyond eight days.",
        since: "now-7d",
        variables: vec![
            Variable::Rows {
                name: "account",
                label: "Account",
                sql: ACCOUNTS,
            },
            Variable::Rows {
                name: "token",
                label: "Token",
                sql: TOKENS,
            },
        ],
        rows: vec![all(), through_time(), whose()],
    }
}

/// Of all that is chosen.
fn all() -> Row {
    let requests = Panel::stat("Requests")
        .about("That presented a token, in the time that is looked at.")
        .base(Blue)
        .ask(rows(over_calls(
            "select coalesce(sum(requests), 0)::bigint as requests from calls",
        )));
    let errors = Panel::stat("Refused or failed")
        .about("The share that was refused, or answered with a status of 400 or above.")
        .unit("percentunit")
        .decimals(1)
        .from(0.05, Yellow)
        .from(0.25, Red)
        .ask(rows(over_calls(
            "select coalesce(sum(errors) / nullif(sum(requests), 0), 0)::float8 as share from calls",
        )));
    let tokens = Panel::stat("Tokens in use")
        .about("That were presented at all.")
        .base(Blue)
        .ask(rows(over_calls(
            "select count(distinct token_id) as tokens from calls",
        )));
    let accounts = Panel::stat("Accounts in use")
        .about("Whose tokens were presented.")
        .base(Blue)
        .ask(rows(over_calls(
            "select count(distinct account_id) as accounts
from api_tokens where id in (select token_id from calls)",
        )));
    let endpoints = Panel::stat("Endpoints in use")
        .about("Paths with their identifiers folded to {id}.")
        .base(Blue)
        .ask(rows(over_calls(
            "select count(distinct endpoint) as endpoints from calls",
        )));
    let slow = Panel::stat("99 % took at most")
        .about("The response time, to a power of two.")
        .unit("s")
        .base(Blue)
        .ask(rows(over_calls(&format!(
            "select {} as p99 from (select {} as latency from calls) summed",
            quantile("latency", 0.99),
            histogram()
        ))));
    let panels = [requests, errors, slow, accounts, tokens, endpoints];
    Row::new("All of it", panels)
}

fn through_time() -> Row {
    let classes = Panel::series("Requests by status")
        .about("By hour, or by day beyond eight days.")
        .stacked()
        .by_status()
        .ask(over_time(over_calls(
            "select bucket as time,
    case status_class when 0 then 'none' else status_class || 'xx' end as metric,
    sum(requests)::bigint as requests
from calls group by 1, 2 order by 1, 2",
        )));
    let latency = Panel::series("Response time")
        .about("To a power of two: the upper bounds of the buckets that are kept.")
        .unit("s")
        .ask(over_time(over_calls(&format!(
            "select bucket as time, {} as p50, {} as p90, {} as p99
from (select bucket, {} as latency from calls group by bucket) summed
order by 1",
            quantile("latency", 0.5),
            quantile("latency", 0.9),
            quantile("latency", 0.99),
            histogram()
        ))));
    let endpoints = Panel::series("The endpoints used most")
        .about("The eight largest of the whole time, and the rest together.")
        .stacked()
        .ask(over_time(over_calls(
            ", ranked as (
    select endpoint, row_number() over (order by sum(requests) desc, endpoint) as place
    from calls group by endpoint
)
select bucket as time, case when place <= 8 then endpoint else '(rest)' end as metric,
    sum(requests)::bigint as requests
from calls join ranked using (endpoint) group by 1, 2 order by 1, 2",
        )));
    let methods = Panel::series("Requests by method")
        .about("By hour, or by day beyond eight days.")
        .stacked()
        .ask(over_time(over_calls(
            "select bucket as time, method as metric, sum(requests)::bigint as requests
from calls group by 1, 2 order by 1, 2",
        )));
    Row::new("Through time", [classes, latency, endpoints, methods])
}

fn whose() -> Row {
    let accounts = Panel::table("Accounts")
        .about("Those with the most requests.")
        .column("errors", "percentunit")
        .size(10, 9)
        .ask(rows(over_calls(&format!(
            "select {ACCOUNT} as account, sum(requests)::bigint as requests,
    (sum(errors) / sum(requests))::float8 as errors, count(distinct token.id) as tokens
from calls
join api_tokens token on token.id = token_id
join accounts account on account.id = token.account_id
left join account_profiles profile on profile.account_id = account.id
group by account.id, profile.name
order by 2 desc limit 20"
        ))));
    let tokens = Panel::table("Tokens")
        .about("Those with the most requests, and when they last let a call pass.")
        .column("errors", "percentunit")
        .size(14, 9)
        .ask(rows(over_calls(&format!(
            "select token.name as token, {ACCOUNT} as account, token.state,
    sum(requests)::bigint as requests, (sum(errors) / sum(requests))::float8 as errors,
    totals.last_used_at as last_used
from calls
join api_tokens token on token.id = calls.token_id
join accounts account on account.id = token.account_id
left join account_profiles profile on profile.account_id = account.id
left join api_token_usage_totals totals on totals.token_id = token.id
group by token.id, account.id, profile.name, totals.last_used_at
order by 4 desc limit 20"
        ))));
    let endpoints = Panel::table("Endpoints")
        .about("Those with the most requests.")
        .column("errors", "percentunit")
        .column("p50", "s")
        .column("p99", "s")
        .size(24, 9)
        .ask(rows(over_calls(&format!(
            "select endpoint, method, requests, errors, {} as p50, {} as p99
from (
    select endpoint, method, sum(requests)::bigint as requests,
        (sum(errors) / sum(requests))::float8 as errors, {} as latency
    from calls group by 1, 2 order by 3 desc limit 20
) largest
order by requests desc",
            quantile("latency", 0.5),
            quantile("latency", 0.99),
            histogram()
        ))));
    Row::new("Whose, and of what", [accounts, tokens, endpoints])
}
