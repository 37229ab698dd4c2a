//! The background task that looks for webhooks with something to send, and serves many at once.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::{SharedClock, SharedEntropy};
use tollkeeper_runtime::settings::NetworkList;
use tollkeeper_telemetry::trace::Traces;
use tollkeeper_usage::Scrubber;
use uuid::Uuid;

use super::keys::Keys;
use super::send::Sender;
use super::step::{Fault, step};
use crate::seal::Sealer;
use crate::webhooks::store::queue::{self, Leased};

/// The longest that an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a lease holds: longer than an attempt takes. Another process takes over that long after
/// this one died.
pub(super) const LEASE: Duration = Duration::from_secs(20);

/// How often the log is looked at while there is nothing to do.
const PAUSE: Duration = Duration::from_millis(500);

/// How many webhooks are served at once.
const AT_ONCE: usize = 64;

/// How often webhooks are looked for that nobody can sign for, and how long an event has waited then.
const SEARCH: Duration = Duration::from_secs(10);
const STRANDED: TimeDelta = TimeDelta::minutes(1);

/// How long deliveries that are under way may take at the end of the process.
const FINISH: Duration = Duration::from_secs(5);

/// Delivers events to webhooks.
pub struct Worker {
    pub(super) pool: PgPool,
    pub(super) keys: Keys,
    pub(super) sender: Sender,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
    pub(super) traces: Option<Traces>,
}

/// What a look at the database has found.
#[derive(Debug, Default)]
struct Found {
    leased: Vec<Leased>,
    /// Whether there is more to do at once.
    behind: bool,
    fault: Option<Fault>,
}

impl Worker {
    /// A worker that connects to public addresses and `allowed` ones. Without a `sealer` it delivers
    /// nothing, but keeps cursors going and tells of webhooks that nobody can sign for. `scrubber`
    /// takes tokens out of what is kept of answers.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        pool: PgPool,
        sealer: Option<Sealer>,
        allowed: &NetworkList,
        scrubber: Scrubber,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            pool,
            keys: Keys::new(sealer),
            sender: Sender::new(allowed, TIMEOUT, scrubber)?,
            clock,
            entropy,
            traces: None,
        })
    }

    /// The same, going on with the traces of the events that it delivers.
    #[must_use]
    pub fn traced(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Delivers until `stop`. Faults are logged and tried again: nothing is lost while it waits.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut serving = JoinSet::new();
        let mut failing = false;
        let mut searched = None;
        while !stop.is_cancelled() {
            let free = AT_ONCE - serving.len();
            let found = this.look(free).await;
            let full = found.leased.len() == free;
            match &found.fault {
                Some(error) if !failing => tracing::warn!(%error, "webhooks wait"),
                None if failing => tracing::info!("webhooks go on"),
                Some(_) | None => {}
            }
            failing = found.fault.is_some();
            for leased in found.leased {
                let (this, stop) = (this.clone(), stop.clone());
                serving.spawn(async move { this.serve(leased, &stop).await });
            }
            if !failing {
                this.search(&mut searched).await;
            }
            let pause = if found.behind { Duration::ZERO } else { PAUSE };
            tokio::select! {
                () = stop.cancelled() => {}
                // More may wait, and whoever is done makes room for it.
                Some(ended) = serving.join_next(), if full => check(ended),
                () = tokio::time::sleep(pause), if !full => {}
            }
            while let Some(ended) = serving.try_join_next() {
                check(ended);
            }
        }
        let finishing = async {
            while let Some(ended) = serving.join_next().await {
                check(ended);
            }
        };
        if timeout(FINISH, finishing).await.is_err() {
            tracing::info!("deliveries that are under way will be made again");
        }
    }

    /// Keeps cursors going, and leases at most `free` webhooks that have something to send.
    async fn look(&self, free: usize) -> Found {
        let mut found = Found::default();
        // One must not stand in the way of the other; and a lease runs from when it is taken.
        match self.pass_over().await {
            Ok(behind) => found.behind = behind,
            Err(fault) => found.fault = Some(fault),
        }
        match self.lease(free).await {
            Ok(leased) => found.leased = leased,
            Err(fault) => found.fault = Some(fault),
        }
        found
    }

    async fn lease(&self, free: usize) -> Result<Vec<Leased>, Fault> {
        let limit = i64::try_from(free).unwrap_or(0);
        let (now, closed) = (self.clock.now(), self.keys.closed());
        let ring = self.keys.ring(&closed);
        step!(self.pool, db => queue::lease(db, now, LEASE, limit, ring))
    }

    async fn pass_over(&self) -> Result<bool, Fault> {
        let now = self.clock.now();
        step!(self.pool, db => queue::pass_over(db, now))
    }

    /// Looks for webhooks that nobody can sign for, if it is time.
    async fn search(&self, searched: &mut Option<Duration>) {
        let uptime = self.clock.boot_time();
        if searched.is_some_and(|last| uptime.saturating_sub(last) < SEARCH) {
            return;
        }
        *searched = Some(uptime);
        match self.stranded().await {
            Ok(stranded) => self.keys.tell_of(stranded),
            Err(error) => tracing::debug!(%error, "webhooks without a key are looked for later"),
        }
    }

    async fn stranded(&self) -> Result<Vec<(Uuid, Uuid)>, Fault> {
        let (since, closed) = (self.clock.now() - STRANDED, self.keys.closed());
        let ring = self.keys.ring(&closed);
        step!(self.pool, db => queue::stranded(db, since, ring))
    }
}

/// A panic is a fault of ours and brings the process down.
fn check(ended: Result<(), JoinError>) {
    if let Err(died) = ended
        && died.is_panic()
    {
        resume_unwind(died.into_panic());
    }
}
