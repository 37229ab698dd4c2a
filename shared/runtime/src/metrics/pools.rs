//! The connections of pools.

use sqlx::PgPool;
use tollkeeper_telemetry::process::{DATABASE_CONNECTIONS, MOST_DATABASE_CONNECTIONS};

pub(super) fn tell(name: &'static str, pool: &PgPool) {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    // The two are not read at one moment.
    let in_use = pool.size().saturating_sub(idle);
    for (state, connections) in [("in_use", in_use), ("idle", idle)] {
        let gauge = DATABASE_CONNECTIONS.of(&[name, state]);
        gauge.set(f64::from(connections));
    }
    let most = pool.options().get_max_connections();
    MOST_DATABASE_CONNECTIONS.with(name).set(f64::from(most));
}
