//! How tokens are checked: what comes of it, how fast, from what knowledge, within which limits.

use super::dashboard::{Dashboard, Row, Variable};
use super::panel::Colour::{Blue, Green, Red, Yellow};
use super::panel::Panel;
use super::query::prom;

pub(super) const UID: &str = "tollkeeper-verification";

/// The chosen nodes.
const CHOSEN: &str = r#"instance=~"$instance""#;

/// How long verdicts take, of nodes that a selector picks.
pub(super) fn quantile(quantile: f64, selector: &str) -> String {
    format!(
        "histogram_quantile({quantile}, sum by (le) (rate(tollkeeper_verification_seconds_bucket{{{selector}}}[$__rate_interval])))"
    )
}

/// The share of checks that were answered without the database, of nodes that a selector picks.
pub(super) fn from_memory(selector: &str) -> String {
    let rate = |source: &str| {
        format!(
            "sum(rate(tollkeeper_verification_checks_total{{{source}{selector}}}[$__rate_interval]))"
        )
    };
    format!("1 - {} / {}", rate(r#"source="miss", "#), rate(""))
}

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: UID,
        title: "Verification",
        description: "How tokens are checked: what comes of it, how fast, and from what knowledge.",
        since: "now-1h",
        variables: vec![Variable::Instance {
            job: "tollkeeper-api",
        }],
        rows: vec![verdicts(), knowledge(), memory(), limits()],
    }
}

/// The rate of a counter of the chosen nodes, by a label.
fn rate_by(label: &str, counter: &str) -> String {
    format!("sum by ({label}) (rate({counter}{{{CHOSEN}}}[$__rate_interval]))")
}

fn chosen(gauge: &str) -> String {
    format!("{gauge}{{{CHOSEN}}}")
}

fn verdicts() -> Row {
    let codes = Panel::series("Verdicts")
        .about("By their code. Many NOT_FOUND or MALFORMED: somebody guesses, or uses the wrong installation.")
        .unit("reqps")
        .stacked()
        .by_verdict()
        .ask(prom(
            format!("{} > 0", rate_by("code", "tollkeeper_verifications_total")),
            "{{code}}",
        ));
    let latency = Panel::series("How long a verdict takes")
        .about("At the server. Misses wait for the database and make up the tail.")
        .unit("s")
        .from(0.01, Red)
        .ask(prom(quantile(0.5, CHOSEN), "p50"))
        .ask(prom(quantile(0.9, CHOSEN), "p90"))
        .ask(prom(quantile(0.99, CHOSEN), "p99"))
        .ask(prom(quantile(0.999, CHOSEN), "p99.9"));
    let heat = Panel::heatmap("Where the time goes")
        .about("How many verdicts took how long.")
        .unit("s")
        .ask(prom(
            rate_by("le", "tollkeeper_verification_seconds_bucket"),
            "{{le}}",
        ));
    let sources = Panel::series("Where answers come from")
        .about("hit: from memory. miss: read from the primary. negative_hit: known to be unknown. malformed: refused by shape.")
        .unit("reqps")
        .stacked()
        .ask(prom(
            rate_by("source", "tollkeeper_verification_checks_total"),
            "{{source}}",
        ));
    Row::new("Verdicts", [codes, latency, heat, sources])
}

fn knowledge() -> Row {
    let age = Panel::series("Age of the proof")
        .about(
            "Up to 2 s a node is live, then stale, and from its stale limit on (60 s) unavailable.",
        )
        .unit("s")
        .from(2.0, Yellow)
        .from(60.0, Red)
        .ask(prom(
            chosen("tollkeeper_verification_proof_age_seconds"),
            "{{instance}}",
        ));
    let heads = Panel::series("Readings of the log's head")
        .about("Every node reads it twice a second. Those that fail do not move the proof.")
        .unit("cps")
        .ask(prom(
            rate_by("outcome", "tollkeeper_verification_head_reads_total"),
            "{{outcome}}",
        ));
    let revocations = Panel::heatmap("From a revocation to a node that heeds it")
        .about("How many events that take a right away were applied after how long. 2 s are promised.")
        .unit("s")
        .ask(prom(
            format!("sum by (le) (increase(tollkeeper_verification_revocation_applied_seconds_bucket{{{CHOSEN}}}[$__rate_interval]))"),
            "{{le}}",
        ));
    let ways = Panel::series("How nodes first hear of a revocation")
        .about("By their own commit, a message over NATS, or reading the log. Without NATS all is heard by the log.")
        .unit("cps")
        .stacked()
        .ask(prom(
            rate_by("way", "tollkeeper_verification_revocation_applied_seconds_count"),
            "{{way}}",
        ));
    let behind = Panel::series("Events behind the foremost node")
        .about("How much of the log a node has not applied that another one has.")
        .decimals(0)
        .ask(prom(
            format!("scalar(max(tollkeeper_verification_applied_position)) - tollkeeper_verification_applied_position{{{CHOSEN}}}"),
            "{{instance}}",
        ));
    let states = Panel::stat("States")
        .about("What each node can say of its knowledge.")
        .size(12, 8)
        .says("0", "live", Green)
        .says("1", "stale", Yellow)
        .says("2", "unavailable", Red)
        .ask(prom(
            format!(
                r#"tollkeeper_verification_state{{state="stale", {CHOSEN}}} + ignoring (state) (2 * tollkeeper_verification_state{{state="unavailable", {CHOSEN}}})"#
            ),
            "{{instance}}",
        ));
    Row::new(
        "What is known",
        [age, states, revocations, ways, heads, behind],
    )
}

fn memory() -> Row {
    let known = Panel::stat("Answered from memory")
        .about("The share of checks that needed no look at the database.")
        .unit("percentunit")
        .decimals(1)
        .base(Blue)
        .ask(prom(from_memory(CHOSEN), ""));
    let entries = Panel::stat("Tokens in memory")
        .about("Of all chosen nodes together.")
        .base(Blue)
        .ask(prom(
            format!("sum(tollkeeper_verification_cache_entries{{{CHOSEN}}})"),
            "",
        ));
    let full = Panel::bars("Memory for tokens")
        .about("Of what TOLLKEEPER_CACHE_BYTES allows. A full cache pushes out what was not used for longest.")
        .unit("percentunit")
        .least(0.0)
        .most(1.0)
        .from(0.9, Yellow)
        .size(8, 4)
        .ask(prom(
            format!("{} / {}", chosen("tollkeeper_verification_cache_bytes"), chosen("tollkeeper_verification_cache_max_bytes")),
            "{{instance}}",
        ));
    let evictions = Panel::stat("Pushed out")
        .about("Entries a second that were pushed out of a full cache. Raise TOLLKEEPER_CACHE_BYTES if they are asked for again.")
        .unit("cps")
        .from(1.0, Yellow)
        .ask(prom(
            format!("sum(rate(tollkeeper_verification_cache_evictions_total{{{CHOSEN}}}[$__rate_interval]))"),
            "",
        ));
    let lookups = Panel::stat("Look-ups")
        .about("Statements to the primary, each for up to 128 tokens.")
        .unit("cps")
        .base(Blue)
        .ask(prom(
            format!(
                "sum(rate(tollkeeper_verification_lookups_total{{{CHOSEN}}}[$__rate_interval]))"
            ),
            "",
        ));
    Row::new("Memory", [known, entries, full, evictions, lookups])
}

fn limits() -> Row {
    let refused = Panel::series("Refused by limits")
        .about("Checks answered RATE_LIMITED and QUOTA_EXCEEDED.")
        .unit("reqps")
        .ask(prom(
            format!("sum(rate(tollkeeper_verification_rate_limited_total{{{CHOSEN}}}[$__rate_interval]))"),
            "rate limits",
        ))
        .ask(prom(
            format!("sum(rate(tollkeeper_verification_quota_exceeded_total{{{CHOSEN}}}[$__rate_interval]))"),
            "quotas",
        ));
    let messages = Panel::series("What nodes tell one another")
        .about("Messages about what was let through. not_heeded: of no form that they may have.")
        .unit("cps")
        .ask(prom(
            rate_by("what", "tollkeeper_rate_limit_messages_total"),
            "{{what}}",
        ));
    let share = Panel::bars("Share of every rate limit")
        .about("1 where a node hears all others. Less: it keeps to its part, as it does not know what they let through.")
        .unit("percentunit")
        .least(0.0)
        .most(1.0)
        .base(Yellow)
        .from(1.0, Green)
        .ask(prom(chosen("tollkeeper_rate_limit_share"), "{{instance}}"));
    let kept = Panel::series("Limits and balances kept")
        .about("Rate limits and quotas of which nodes know what was used.")
        .size(8, 8)
        .ask(prom(
            format!("sum(tollkeeper_rate_limit_buckets{{{CHOSEN}}})"),
            "rate limits",
        ))
        .ask(prom(
            format!("sum(tollkeeper_quota_balances{{{CHOSEN}}})"),
            "quotas",
        ));
    let forgotten = Panel::series("Forgotten too early")
        .about("Limits and balances forgotten because there were too many: more may pass than is allowed.")
        .unit("cps")
        .size(8, 8)
        .from(0.1, Red)
        .ask(prom(
            format!("sum(rate(tollkeeper_rate_limits_forgotten_total{{{CHOSEN}}}[$__rate_interval]))"),
            "rate limits",
        ))
        .ask(prom(
            format!("sum(rate(tollkeeper_quota_balances_forgotten_total{{{CHOSEN}}}[$__rate_interval]))"),
            "quotas",
        ));
    Row::new(
        "Limits and quotas",
        [refused, messages, share, kept, forgotten],
    )
}
