//! How much room is left, and what takes it.

use super::dashboard::{Dashboard, Row, Variable};
use super::panel::Colour::{Blue, Green, Red, Yellow};
use super::panel::Panel;
use super::query::{prom, rows};

const CHOSEN: &str = r#"job=~"tollkeeper-.+", instance=~"$instance""#;

/// What the tables take, partitions with their parents.
const TABLES: &str = "select coalesce(parent.relname, class.relname) as table,
    sum(pg_total_relation_size(class.oid))::bigint as bytes,
    sum(pg_indexes_size(class.oid))::bigint as indexes,
    sum(greatest(class.reltuples, 0))::bigint as rows
from pg_class class
join pg_namespace schema on schema.oid = class.relnamespace and schema.nspname = 'public'
left join pg_inherits on pg_inherits.inhrelid = class.oid
left join pg_class parent on parent.oid = pg_inherits.inhparent
where class.relkind = 'r'
group by 1 order by 2 desc limit 15";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "tollkeeper-capacity",
        title: "Capacity",
        description: "How much room is left: processors, memory, files, connections, disk.",
        since: "now-24h",
        variables: vec![Variable::Instance {
            job: "tollkeeper-.+",
        }],
        rows: vec![processes(), connections(), room(), tables()],
    }
}

/// A part of a whole, as a bar for each process.
fn filled(title: &'static str, about: &'static str, part: &str, whole: &str) -> Panel {
    Panel::bars(title)
        .about(about)
        .unit("percentunit")
        .least(0.0)
        .most(1.0)
        .from(0.7, Yellow)
        .from(0.9, Red)
        .ask(prom(
            format!("{part}{{{CHOSEN}}} / ({whole}{{{CHOSEN}}} > 0)"),
            "{{instance}}",
        ))
}

fn processes() -> Row {
    let name = "{{job}} {{instance}}";
    let cpu = Panel::series("Processors in use")
        .about("1 is one processor, busy all the time.")
        .ask(prom(
            format!("rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"),
            name,
        ));
    let memory = Panel::series("Memory")
        .about("Resident. The spool's mapped segments count as far as they are in memory.")
        .unit("bytes")
        .ask(prom(
            format!("process_resident_memory_bytes{{{CHOSEN}}}"),
            name,
        ));
    let cost = Panel::series("Processor time for a verdict")
        .about("Of the APIs, everything they do included.")
        .unit("s")
        .ask(prom(
            r#"sum(rate(process_cpu_seconds_total{job="tollkeeper-api"}[$__rate_interval])) / sum(rate(tollkeeper_verifications_total[$__rate_interval]))"#,
            "a verdict",
        ));
    let threads = Panel::series("Threads")
        .about("They should not grow.")
        .ask(prom(format!("process_threads{{{CHOSEN}}}"), name));
    let age = Panel::series("Since the start")
        .about("A line that falls to zero is a restart.")
        .unit("s")
        .ask(prom(
            format!("time() - process_start_time_seconds{{{CHOSEN}}}"),
            name,
        ));
    let files = filled(
        "Open files",
        "Of what the system allows: a connection is one. Raise LimitNOFILE or ulimit -n.",
        "process_open_fds",
        "process_max_fds",
    )
    .size(12, 8);
    Row::new("Processes", [cpu, memory, cost, threads, age, files])
}

fn connections() -> Row {
    let clients = filled(
        "Clients",
        "Open connections of the public listener, of TOLLKEEPER_MAX_CONNECTIONS.",
        "tollkeeper_http_connections",
        "tollkeeper_http_connections_max",
    );
    let database = Panel::bars("Connections to the database in use")
        .about("Of each pool; the writer's and the webhooks' may be busy all the time.")
        .unit("percentunit")
        .least(0.0)
        .most(1.0)
        .from(0.7, Yellow)
        .from(1.0, Red)
        .ask(prom(
            format!(
                "max by (job, pool) (tollkeeper_database_connections{{state=\"in_use\", {CHOSEN}}} / ignoring (state) (tollkeeper_database_connections_max{{{CHOSEN}}} > 0))"
            ),
            "{{job}} {{pool}}",
        ));
    let open = Panel::series("Connections to the database")
        .about("Open ones of all processes together; max_connections of Postgres must be above what all pools may have.")
        .size(8, 8)
        .ask(prom(
            "sum by (state) (tollkeeper_database_connections)",
            "{{state}}",
        ))
        .ask(prom("sum(tollkeeper_database_connections_max)", "most"));
    Row::new("Connections", [clients, database, open])
}

fn room() -> Row {
    let spool = filled(
        "Spools",
        "Of TOLLKEEPER_SPOOL_BYTES.",
        "tollkeeper_usage_spool_bytes",
        "tollkeeper_usage_spool_max_bytes",
    )
    .size(6, 6);
    let cache = filled(
        "Memory for tokens",
        "Of TOLLKEEPER_CACHE_BYTES.",
        "tollkeeper_verification_cache_bytes",
        "tollkeeper_verification_cache_max_bytes",
    )
    .size(6, 6);
    let stream = Panel::stat("Stream USAGE")
        .about("Of its max_bytes. A full stream refuses, and the spools wait.")
        .unit("percentunit")
        .decimals(2)
        .from(0.5, Yellow)
        .from(0.8, Red)
        .size(4, 6)
        .ask(prom(
            "max(tollkeeper_usage_stream_bytes) / (max(tollkeeper_usage_stream_max_bytes) > 0)",
            "",
        ));
    let ahead = Panel::stat("Days of raw usage ahead")
        .about("That have their partition. Ingestors make seven.")
        .base(Red)
        .from(1.0, Yellow)
        .from(3.0, Green)
        .size(4, 6)
        .ask(prom("max(tollkeeper_usage_partitions_ahead)", ""));
    let database = Panel::stat("Database")
        .about("All tables and indexes.")
        .unit("bytes")
        .base(Blue)
        .size(4, 6)
        .ask(rows("select pg_database_size(current_database()) as bytes"));
    Row::new("Room", [spool, cache, stream, ahead, database])
}

fn tables() -> Row {
    let tables = Panel::table("The largest tables")
        .about("With their indexes; days of raw usage together. Rows are the planner's estimate.")
        .column("bytes", "bytes")
        .column("indexes", "bytes")
        .ask(rows(TABLES));
    let days = Panel::table("Raw usage by day")
        .about("What a day takes. It goes after TOLLKEEPER_USAGE_RETENTION_DAYS.")
        .column("bytes", "bytes")
        .ask(rows(
            "select day::text, pg_total_relation_size(name::regclass) as bytes
from usage_partitions order by day desc limit 14",
        ));
    Row::new("Tables", [tables, days])
}
