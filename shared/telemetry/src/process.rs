//! The metrics that every program has: those of the process under the names that Prometheus gives
//! them everywhere, and its connections.

use metrics::Unit;

use crate::kinds::{Counter, Gauge, SecondsCounter};
use crate::labels::Label;

/// The pools of connections to the database in each service.
const POOL: Label = Label::PerService {
    name: "pool",
    api: &[
        "main", "writer", "webhooks", "nodes", "usage", "replica", "reports",
    ],
    ingestor: &["main"],
};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Which version runs.
pub const BUILD_INFO: Gauge = Gauge {
    name: "tollkeeper_build_info",
    unit: Unit::Count,
    description: "Always 1; the label says which version this is",
    labels: &[Label::one("version", &[VERSION])],
};

/// Whether the component named by the label is ready (1) or not (0), as `/readyz` says.
pub const COMPONENT_READY: Gauge = Gauge {
    name: "tollkeeper_component_ready",
    unit: Unit::Count,
    description: "Whether a component is ready (1) or not (0)",
    labels: &[Label::PerService {
        name: "component",
        api: &["postgres", "nats", "proof", "spool", "warm_start"],
        ingestor: &["postgres", "nats"],
    }],
};

/// CPU time.
pub const CPU: SecondsCounter = SecondsCounter {
    name: "process_cpu_seconds_total",
    description: "CPU time that the process has taken, its own and the kernel's for it",
};

/// Memory in use.
pub const RESIDENT_MEMORY: Gauge = Gauge {
    name: "process_resident_memory_bytes",
    unit: Unit::Bytes,
    description: "Memory that the process takes",
    labels: &[],
};

/// Addresses in use.
pub const VIRTUAL_MEMORY: Gauge = Gauge {
    name: "process_virtual_memory_bytes",
    unit: Unit::Bytes,
    description: "Addresses that the process has, most of them without memory behind them",
    labels: &[],
};

/// Open files.
pub const OPEN_FILES: Gauge = Gauge {
    name: "process_open_fds",
    unit: Unit::Count,
    description: "Files and sockets that the process has open",
    labels: &[],
};

/// The most open files.
pub const MOST_OPEN_FILES: Gauge = Gauge {
    name: "process_max_fds",
    unit: Unit::Count,
    description: "Files and sockets that the process may have open",
    labels: &[],
};

/// When the process began.
pub const STARTED_AT: Gauge = Gauge {
    name: "process_start_time_seconds",
    unit: Unit::Seconds,
    description: "When the process began, in seconds since the Unix epoch",
    labels: &[],
};

/// Threads.
pub const THREADS: Gauge = Gauge {
    name: "process_threads",
    unit: Unit::Count,
    description: "Threads of the process",
    labels: &[],
};

/// Connections to the database.
pub const DATABASE_CONNECTIONS: Gauge = Gauge {
    name: "tollkeeper_database_connections",
    unit: Unit::Count,
    description: "Connections of a pool to the database, in use or idle; none in a pool that this \
                  installation has no need of",
    labels: &[POOL, Label::one("state", &["in_use", "idle"])],
};

/// The most connections to the database.
pub const MOST_DATABASE_CONNECTIONS: Gauge = Gauge {
    name: "tollkeeper_database_connections_max",
    unit: Unit::Count,
    description: "Connections that a pool may have, 0 if this installation has no need of it",
    labels: &[POOL],
};

/// Whether NATS is there.
pub const NATS_CONNECTED: Gauge = Gauge {
    name: "tollkeeper_nats_connected",
    unit: Unit::Count,
    description: "Whether there is a connection to NATS (1) or not (0)",
    labels: &[],
};

/// How often NATS was back.
pub const NATS_RECONNECTS: Counter = Counter {
    name: "tollkeeper_nats_reconnects_total",
    unit: Unit::Count,
    description: "Connections to NATS after the first",
    labels: &[],
};

/// Until when the credentials for NATS are good.
pub const NATS_CREDENTIALS_EXPIRY: Gauge = Gauge {
    name: "tollkeeper_nats_credentials_expiry_timestamp_seconds",
    unit: Unit::Seconds,
    description: "When the credentials for NATS expire, in seconds since the Unix epoch; 0 if there \
                  are none or they do not",
    labels: &[],
};
