//! The nodes as they are now, read once for all who wait to see them move.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Mutex;
use tollkeeper_ambient::SharedClock;
use tollkeeper_read_model::nodes::{self, NodeRow};
use uuid::Uuid;

/// How old a reading may be for those who wait on.
pub(super) const PACE: Duration = Duration::from_millis(100);

/// Reads the nodes. Clones share what was read.
#[derive(Clone)]
pub struct Roll {
    own: Uuid,
    pool: PgPool,
    clock: SharedClock,
    last: Arc<Mutex<Option<Reading>>>,
}

/// The nodes as they were after a moment.
#[derive(Clone)]
struct Reading {
    begun_at: Duration,
    nodes: Arc<[NodeRow]>,
}

impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roll").finish_non_exhaustive()
    }
}

impl Roll {
    /// The roll that the node `own` keeps. Nothing is read yet.
    #[must_use]
    pub fn new(own: Uuid, pool: PgPool, clock: SharedClock) -> Self {
        Self {
            own,
            pool,
            clock,
            last: Arc::default(),
        }
    }

    /// The node that this process is.
    pub(super) const fn own(&self) -> Uuid {
        self.own
    }

    /// The moment from which on a reading knows of all that has happened until now.
    pub(super) fn moment(&self) -> Duration {
        self.clock.boot_time()
    }

    /// The nodes, read no earlier than `moment`. However many wait for it, there is one statement at
    /// a time, and no connection is held in between.
    pub(super) async fn since(&self, moment: Duration) -> Result<Arc<[NodeRow]>, sqlx::Error> {
        let mut last = self.last.lock().await;
        let begun_at = self.clock.boot_time();
        if let Some(reading) = last.as_ref()
            && reading.begun_at >= moment
            && begun_at.saturating_sub(reading.begun_at) < PACE
        {
            return Ok(Arc::clone(&reading.nodes));
        }
        let nodes: Arc<[NodeRow]> = nodes::all(&self.pool).await?.into();
        *last = Some(Reading {
            begun_at,
            nodes: Arc::clone(&nodes),
        });
        Ok(nodes)
    }
}
