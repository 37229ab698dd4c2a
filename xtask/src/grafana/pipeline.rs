//! Usage from the spool to the row.

use super::dashboard::{Dashboard, Row, Variable};
use super::panel::Colour::{Blue, Red, Yellow};
use super::panel::Panel;
use super::query::{prom, rows};

pub(super) const UID: &str = "tollkeeper-pipeline";

const CHOSEN: &str = r#"instance=~"$instance""#;

/// Time from the call to its committed row.
pub(super) fn lag(quantile: f64) -> String {
    format!(
        "histogram_quantile({quantile}, sum by (le) (rate(tollkeeper_usage_ingest_lag_seconds_bucket[$__rate_interval])))"
    )
}

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: UID,
        title: "Pipeline",
        description: "Usage from the spool of a node through the stream into the tables.",
        since: "now-1h",
        variables: vec![Variable::Instance {
            job: "tollkeeper-.+",
        }],
        rows: vec![spool(), stream(), ingestor(), complete()],
    }
}

fn rate(counter: &str) -> String {
    format!("sum(rate({counter}{{{CHOSEN}}}[$__rate_interval]))")
}

fn rate_by(label: &str, counter: &str) -> String {
    format!("sum by ({label}) (rate({counter}{{{CHOSEN}}}[$__rate_interval]))")
}

fn spool() -> Row {
    let full = Panel::bars("How full the spools are")
        .about("Of TOLLKEEPER_SPOOL_BYTES, segments made ahead included. A full one drops or refuses.")
        .unit("percentunit")
        .least(0.0)
        .most(1.0)
        .from(0.5, Yellow)
        .from(0.7, Red)
        .ask(prom(
            format!("tollkeeper_usage_spool_bytes{{{CHOSEN}}} / tollkeeper_usage_spool_max_bytes{{{CHOSEN}}}"),
            "{{instance}}",
        ));
    let oldest = Panel::series("Oldest event without an acknowledgement")
        .about("It grows while the broker does not take usage; nothing is lost as long as the spool has room.")
        .unit("s")
        .size(8, 8)
        .from(60.0, Red)
        .ask(prom(
            format!("tollkeeper_usage_spool_oldest_seconds{{{CHOSEN}}}"),
            "{{instance}}",
        ));
    let lost = Panel::series("Dropped and refused")
        .about("Events that found the spool full.")
        .unit("cps")
        .size(8, 8)
        .from(0.1, Red)
        .ask(prom(rate("tollkeeper_spool_dropped_total"), "dropped"))
        .ask(prom(rate("tollkeeper_spool_refused_total"), "refused"));
    let road = Panel::series("Events on their way")
        .about("Appended to spools, acknowledged by the broker, counted. Lines apart: something waits.")
        .unit("cps")
        .ask(prom(rate("tollkeeper_usage_spool_appended_total"), "appended"))
        .ask(prom(rate("tollkeeper_usage_published_events_total"), "acknowledged"))
        .ask(prom(rate("tollkeeper_usage_ingested_events_total"), "counted"));
    let trouble = Panel::series("Trouble on the way to the broker")
        .about("Tries that failed, batches sent again on evidence of a loss, reads of the ledger and marks that failed.")
        .unit("cps")
        .ask(prom(rate("tollkeeper_usage_publish_retries_total"), "retries"))
        .ask(prom(
            rate_by("reason", "tollkeeper_usage_resent_batches_total"),
            "resent: {{reason}}",
        ))
        .ask(prom(rate("tollkeeper_usage_ledger_read_failures_total"), "ledger not read"))
        .ask(prom(rate("tollkeeper_usage_mark_failures_total"), "not marked"));
    Row::new("Spool", [full, oldest, lost, road, trouble])
}

fn stream() -> Row {
    let pending = Panel::series("Batches in the stream")
        .about("Not delivered yet, delivered and not acknowledged, and of those delivered more than once.")
        .from(1000.0, Red)
        .ask(prom("max(tollkeeper_usage_consumer_pending)", "pending"))
        .ask(prom("max(tollkeeper_usage_consumer_ack_pending)", "unacknowledged"))
        .ask(prom("max(tollkeeper_usage_consumer_redelivered)", "redelivered"));
    let full = Panel::stat("How full the stream is")
        .about("Of max_bytes of USAGE. A full stream refuses, and the spools wait.")
        .unit("percentunit")
        .decimals(2)
        .from(0.5, Yellow)
        .from(0.8, Red)
        .ask(prom(
            "max(tollkeeper_usage_stream_bytes) / (max(tollkeeper_usage_stream_max_bytes) > 0)",
            "",
        ));
    let size = Panel::stat("Events in a batch")
        .about("At most 500; a batch is sealed after 100 ms.")
        .base(Blue)
        .decimals(1)
        .ask(prom(
            format!(
                "{} / {}",
                rate("tollkeeper_usage_published_events_total"),
                rate("tollkeeper_usage_published_batches_total")
            ),
            "",
        ));
    let connected = Panel::stat("Without the broker")
        .about("Processes that are not connected to NATS.")
        .from(1.0, Yellow)
        .ask(prom(
            "count(tollkeeper_nats_connected == 0) or vector(0)",
            "",
        ));
    let reconnects = Panel::series("Connections to the broker anew")
        .about("Many of them: look at the network, or at the servers' logs.")
        .unit("cps")
        .size(24, 6)
        .ask(prom(
            format!("sum by (job, instance) (rate(tollkeeper_nats_reconnects_total{{{CHOSEN}}}[$__rate_interval]))"),
            "{{job}} {{instance}}",
        ));
    Row::new(
        "Stream",
        [
            pending,
            full.size(4, 8),
            size.size(4, 8),
            connected.size(4, 8),
            reconnects,
        ],
    )
}

fn ingestor() -> Row {
    let lags = Panel::series("From the call to the counted row")
        .about("Of the oldest event of each transaction. Quotas are judged by what is counted.")
        .unit("s")
        .from(10.0, Red)
        .ask(prom(lag(0.5), "p50"))
        .ask(prom(lag(0.9), "p90"))
        .ask(prom(lag(0.99), "p99"));
    let seconds = |quantile: f64| {
        format!(
            "histogram_quantile({quantile}, sum by (le) (rate(tollkeeper_usage_ingest_seconds_bucket[$__rate_interval])))"
        )
    };
    let transactions = Panel::series("How long transactions take")
        .about("Each counts many batches at once.")
        .unit("s")
        .ask(prom(seconds(0.5), "p50"))
        .ask(prom(seconds(0.99), "p99"));
    let batches = Panel::series("What comes of batches")
        .about("duplicate: settled before, counts nothing. overlap, undecodable and refused become dead letters.")
        .unit("cps")
        .ask(prom(
            rate_by("outcome", "tollkeeper_usage_ingested_batches_total"),
            "{{outcome}}",
        ));
    let odd = Panel::series("Out of the ordinary")
        .about("Transactions that are repeated, timestamps out of bounds, dead letters, events told to be dropped.")
        .unit("cps")
        .ask(prom(rate("tollkeeper_usage_ingest_retries_total"), "transactions repeated"))
        .ask(prom(rate("tollkeeper_usage_timestamps_replaced_total"), "timestamps replaced"))
        .ask(prom(rate_by("reason", "tollkeeper_usage_dead_letters_total"), "dead letter: {{reason}}"))
        .ask(prom(rate("tollkeeper_usage_dropped_events_total"), "told to be dropped"));
    Row::new("Ingestor", [lags, transactions, batches, odd])
}

fn complete() -> Row {
    let behind = Panel::series("How long ago everything was counted")
        .about("Everything that was answered before is known to be counted. A vanished process holds it back.")
        .unit("s")
        .from(600.0, Red)
        .size(8, 8)
        .ask(prom("max(tollkeeper_usage_completeness_lag_seconds)", "everything"))
        .ask(prom("max(tollkeeper_usage_reports_oldest_seconds)", "oldest report"));
    let missing = Panel::stat("Missing")
        .about("Calls that were answered and are not counted, of processes that have ended or cannot be heard.")
        .from(1.0, Red)
        .ask(prom("max(tollkeeper_usage_ledger_missing_events)", ""));
    let vanished = Panel::stat("Vanished sources")
        .about(
            "Lanes of processes that ended without a word and have not come back with their spool.",
        )
        .from(1.0, Yellow)
        .ask(prom("max(tollkeeper_usage_vanished_sources)", ""));
    let letters = Panel::table("Dead letters")
        .about("What waits in usage_dead_letters, by reason. `tollkeeper dead-letters list` shows each.")
        .size(8, 8)
        .ask(rows(
            "select reasons.reason, count(letters.reason) as waiting, max(letters.received_at) as newest
from unnest(array['undecodable', 'refused', 'overlap']) as reasons (reason)
left join usage_dead_letters letters on letters.reason = reasons.reason
group by 1 order by 2 desc, 1",
        ));
    let reporters = Panel::table("Who reports usage")
        .about("The last runs that were heard of. Without an end and not seen for 10 s: vanished.")
        .size(24, 8)
        .ask(rows(
            "select name as machine, started_at, seen_at, ended_at,
    (select sum(number) from unnest(appended) as number) as appended, complete_through
from usage_reporters
order by seen_at desc
limit 20",
        ));
    let failures = Panel::stat("Watching failed")
        .about("Readings of these figures that failed; they keep their last value meanwhile.")
        .unit("cps")
        .from(0.01, Yellow)
        .ask(prom(
            "sum(rate(tollkeeper_usage_watch_failures_total[$__rate_interval]))",
            "",
        ));
    let dropped = Panel::stat("Told to be dropped")
        .about("Events that reporters told to have dropped, in the time that is looked at.")
        .from(1.0, Red)
        .decimals(0)
        .ask(prom(
            "sum(increase(tollkeeper_usage_dropped_events_total[$__range]))",
            "",
        ));
    Row::new(
        "Is it complete?",
        [
            behind,
            missing.size(2, 8),
            vanished.size(2, 8),
            dropped.size(2, 8),
            failures.size(2, 8),
            letters,
            reporters,
        ],
    )
}
