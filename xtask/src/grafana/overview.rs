//! Is it healthy, is it fast, is anything lost?

use super::dashboard::{Dashboard, Row};
use super::panel::Colour::{Blue, Green, Grey, Red, Yellow};
use super::panel::Panel;
use super::query::{now, prom};
use super::{lifecycle, pipeline, verification};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "tollkeeper-overview",
        title: "Overview",
        description: "Is it healthy, is it fast, is anything lost? Green everywhere means yes, yes, no.",
        since: "now-1h",
        variables: Vec::new(),
        rows: vec![healthy(), fast(), lost()],
    }
}

fn healthy() -> Row {
    let alerts = Panel::table("Alerts that are firing")
        .about("Each with its runbook in docs/runbooks.")
        .size(8, 8)
        .ask(now(
            r#"count by (alertname, severity) (ALERTS{alertname=~"Tollkeeper.+", alertstate="firing"})
  or on () label_replace(vector(0), "alertname", "none", "", "")"#,
            "",
        ));
    let down = Panel::stat("Processes down")
        .about("APIs and ingestors that do not answer Prometheus.")
        .from(1.0, Red)
        .ask(prom(
            r#"count(up{job=~"tollkeeper-.+"} == 0) or vector(0)"#,
            "",
        ));
    let up = Panel::stat("Processes up")
        .about("APIs and ingestors that answer Prometheus.")
        .base(Blue)
        .ask(prom(
            r#"sum by (job) (up{job=~"tollkeeper-.+"})"#,
            "{{job}}",
        ));
    let ready = Panel::stat("Components not ready")
        .about("Postgres, NATS, proof or spool of any process, as /readyz says.")
        .from(1.0, Yellow)
        .ask(prom(
            "count(tollkeeper_component_ready == 0) or vector(0)",
            "",
        ));
    let state = Panel::stat("Verification")
        .about(
            "The worst state of any node. Stale: it cannot prove that what it knows is current, and \
             still answers. Unavailable: it answers UNAVAILABLE.",
        )
        .says("0", "live", Green)
        .says("1", "stale", Yellow)
        .says("2", "unavailable", Red)
        .link("Verification", verification::UID)
        .ask(prom(
            r#"max(tollkeeper_verification_state{state="stale"} + ignoring (state) (2 * tollkeeper_verification_state{state="unavailable"}))"#,
            "",
        ));
    let version = Panel::stat("Versions")
        .about("More than one only while an upgrade is under way.")
        .base(Grey)
        .size(3, 4)
        .ask(prom(
            "count by (version) (tollkeeper_build_info)",
            "{{version}}",
        ));
    let budget = Panel::stat("Error budget left")
        .about(
            "Of 30 days: at most 0.1 % of verdicts UNAVAILABLE, at most 1 % slower than 10 ms. At zero \
             the promise is broken.",
        )
        .unit("percentunit")
        .decimals(1)
        .base(Red)
        .from(0.0, Yellow)
        .from(0.5, Green)
        .ask(prom(
            "1 - max(job:tollkeeper_verification_unavailable:ratio_rate30d) / 0.001",
            "verdicts",
        ))
        .ask(prom(
            "1 - max(job:tollkeeper_verification_slow:ratio_rate30d) / 0.01",
            "10 ms",
        ))
        .size(5, 4);
    let verdicts = Panel::series("Verdicts")
        .about("Checks of tokens by their outcome. UNAVAILABLE and QUOTA_EXCEEDED are what callers complain of.")
        .unit("reqps")
        .stacked()
        .by_verdict()
        .size(8, 8)
        .ask(prom(
            "sum by (code) (rate(tollkeeper_verifications_total[$__rate_interval])) > 0",
            "{{code}}",
        ));
    let requests = Panel::series("Requests by status")
        .about("All requests to the public listener. 5xx is ours, 4xx the callers'.")
        .unit("reqps")
        .stacked()
        .by_status()
        .size(8, 8)
        .ask(prom(
            "sum by (status) (rate(tollkeeper_http_requests_total[$__rate_interval]))",
            "{{status}}",
        ));
    let panels = [
        up, down, ready, state, version, budget, alerts, verdicts, requests,
    ];
    Row::new("Is it healthy?", panels)
}

fn fast() -> Row {
    let rate = Panel::stat("Verdicts a second")
        .about("Of all nodes together.")
        .unit("reqps")
        .base(Blue)
        .ask(prom(
            "sum(rate(tollkeeper_verifications_total[$__rate_interval]))",
            "",
        ));
    let quick = Panel::stat("Within 10 ms")
        .about(
            "The share of verdicts that took at most 10 ms at the server. The objective is 99 %.",
        )
        .unit("percentunit")
        .decimals(2)
        .base(Red)
        .from(0.99, Yellow)
        .from(0.999, Green)
        .ask(prom(
            "1 - max(job:tollkeeper_verification_slow:ratio_rate5m)",
            "",
        ));
    let answered = Panel::stat("Got a verdict")
        .about("The share of checks that were not UNAVAILABLE. The objective is 99.9 %.")
        .unit("percentunit")
        .decimals(2)
        .base(Red)
        .from(0.999, Yellow)
        .from(0.9999, Green)
        .ask(prom(
            "1 - max(job:tollkeeper_verification_unavailable:ratio_rate5m)",
            "",
        ));
    let latency = Panel::series("How long a verdict takes")
        .about("At the server, from the credential to the event in the spool.")
        .unit("s")
        .from(0.01, Red)
        .size(12, 8)
        .ask(prom(verification::quantile(0.5, ""), "p50"))
        .ask(prom(verification::quantile(0.99, ""), "p99"))
        .ask(prom(verification::quantile(0.999, ""), "p99.9"));
    let revoked = Panel::series("How long a revocation takes")
        .about("From the log to the node that heeds it, 99th percentile. 2 s are promised.")
        .unit("s")
        .from(2.0, Red)
        .size(12, 8)
        .ask(prom(
            "histogram_quantile(0.99, sum by (le, way) (increase(tollkeeper_verification_revocation_applied_seconds_bucket[$__range])))",
            "{{way}}",
        ));
    let proof = Panel::stat("Oldest proof")
        .about("How old the knowledge of the most backward node is. Beyond 2 s it is stale.")
        .unit("s")
        .decimals(1)
        .from(2.0, Yellow)
        .from(30.0, Red)
        .ask(prom("max(tollkeeper_verification_proof_age_seconds)", ""));
    let known = Panel::stat("Answered from memory")
        .about("The share of checks that needed no look at the database.")
        .unit("percentunit")
        .decimals(1)
        .base(Blue)
        .size(4, 4)
        .ask(prom(verification::from_memory(""), ""));
    let slow = Panel::stat("Slowest route")
        .about("The 99th percentile of the slowest route of the API in five minutes.")
        .unit("s")
        .from(1.0, Yellow)
        .from(5.0, Red)
        .ask(prom(
            "max(histogram_quantile(0.99, sum by (le, route) (rate(tollkeeper_http_request_seconds_bucket[5m]))) >= 0) or vector(0)",
            "",
        ));
    Row::new(
        "Is it fast?",
        [rate, quick, answered, proof, known, slow, latency, revoked],
    )
}

fn lost() -> Row {
    let dropped = Panel::stat("Dropped")
        .about("Events that full spools have dropped in the time that is looked at. They are not counted.")
        .from(1.0, Red)
        .decimals(0)
        .ask(prom(
            "sum(increase(tollkeeper_spool_dropped_total[$__range]))",
            "",
        ));
    let missing = Panel::stat("Missing")
        .about("Calls that were answered and are not counted, of processes that have ended or cannot be heard.")
        .from(1.0, Red)
        .link("Pipeline", pipeline::UID)
        .ask(prom("max(tollkeeper_usage_ledger_missing_events)", ""));
    let dead = Panel::stat("Dead letters")
        .about("Messages or records that could not be counted and wait for somebody.")
        .from(1.0, Yellow)
        .link("Pipeline", pipeline::UID)
        .ask(prom("max(tollkeeper_usage_dead_letters_waiting)", ""));
    let differing = Panel::stat("Sums that differ")
        .about("Hours, days and totals that the hourly audit found not to be what the rows say.")
        .from(1.0, Red)
        .link("Lifecycle and audit", lifecycle::UID)
        .ask(prom(
            "sum(max by (sums) (tollkeeper_usage_audit_differing))",
            "",
        ));
    let waiting = Panel::stat("Oldest usage in a spool")
        .about("How long the broker has not taken what is oldest.")
        .unit("s")
        .decimals(1)
        .from(60.0, Yellow)
        .from(600.0, Red)
        .ask(prom("max(tollkeeper_usage_spool_oldest_seconds)", ""));
    let behind = Panel::stat("Everything is counted up to")
        .about("How long ago it was that all that was answered is known to be counted.")
        .unit("s")
        .decimals(1)
        .from(60.0, Yellow)
        .from(600.0, Red)
        .ask(prom("max(tollkeeper_usage_completeness_lag_seconds)", ""));
    let road = Panel::series("Usage on its way")
        .about("What is appended to spools should be acknowledged by the broker and counted at the same rate.")
        .unit("cps")
        .size(12, 8)
        .ask(prom(
            "sum(rate(tollkeeper_usage_spool_appended_total[$__rate_interval]))",
            "appended",
        ))
        .ask(prom(
            "sum(rate(tollkeeper_usage_published_events_total[$__rate_interval]))",
            "acknowledged",
        ))
        .ask(prom(
            "sum(rate(tollkeeper_usage_ingested_events_total[$__rate_interval]))",
            "counted",
        ));
    let lag = Panel::series("From the call to the counted row")
        .about("Of the oldest event of each transaction.")
        .unit("s")
        .from(10.0, Red)
        .size(12, 8)
        .ask(prom(pipeline::lag(0.5), "p50"))
        .ask(prom(pipeline::lag(0.99), "p99"));
    Row::new(
        "Is anything lost?",
        [
            dropped, missing, dead, differing, waiting, behind, road, lag,
        ],
    )
}
