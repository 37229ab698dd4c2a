//! Usage from the broker into Postgres.
//!
//! The ingestor takes batches from the `USAGE` stream and settles many of them in one transaction:
//! ledger, raw rows, hourly and daily rollups, totals and balances of quotas. It acknowledges after the commit, so
//! a message may arrive again and is then recognised by the ledger: at least once delivered, counted
//! once.
//!
//! It never skips a message silently and never retries one for ever that cannot be counted: that one
//! goes to the dead letters, raw. Calls that were reported to the API wait in a table of their own; the
//! transaction that takes them out counts them. It never creates streams or migrates the database.

mod audit;
mod consume;
mod delivery;
mod endpoints;
mod fault;
mod fold;
mod partitions;
mod patience;
mod replays;
mod reports;
mod settings;
mod settle;
mod store;
mod tally;
mod trace;
mod upkeep;
mod watch;

pub use audit::{Audit, AuditError, audit_once, keep_auditing};
pub use consume::Consumer;
pub use delivery::{Content, Delivery};
pub use fault::Fault;
pub use fold::fold;
pub use partitions::Partitions;
pub use replays::replay_dead_letters;
pub use reports::count_reports;
pub use settings::IngestorSettings;
pub use settle::{Settler, Summary};
pub use upkeep::{
    UpkeepError, keep_balances, keep_partitions, keep_report_ids, keep_rollups,
    remove_old_balances, remove_old_report_ids, remove_old_rollups, upkeep_once,
};
pub use watch::{watch_broker, watch_connection, watch_database};
