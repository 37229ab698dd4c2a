//! The background task that looks for webhooks with something to send, and serves many at once.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use sqlx::PgPool;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::{SharedClock, SharedEntropy};
use tollkeeper_event_store::{ReadError, StoredEvent, read_matching};
use tollkeeper_runtime::settings::NetworkList;
use tollkeeper_telemetry::webhooks::{ATTEMPT_SECONDS, ATTEMPTS, DISABLED};
use tollkeeper_usage::Scrubber;

use super::schedule::{delay, is_hopeless, retry_after};
use super::send::{Outcome, Sender, Sent};
use super::sign::signatures;
use crate::public_event::public;
use crate::seal::Sealer;
use crate::webhooks::secret::SigningSecret;
use crate::webhooks::store::attempts::{self, Attempt};
use crate::webhooks::store::endpoints::Reason;
use crate::webhooks::store::queue::{self, Leased, QueueError};
use crate::webhooks::store::secrets;

/// The longest that an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a lease holds: longer than an attempt takes. Another process takes over that long after
/// this one died.
const LEASE: Duration = Duration::from_secs(20);

/// The longest that one step in the database may take. Whatever it waits for, the few connections
/// of deliveries must not wait with it.
const STEP: Duration = Duration::from_secs(5);

/// How often the log is looked at while there is nothing to send.
const PAUSE: Duration = Duration::from_millis(500);

/// How many webhooks are served at once.
const AT_ONCE: usize = 64;

/// How long one webhook is served before others have their turn.
const TURN: Duration = Duration::from_secs(10);

/// How many events are read at once.
const PAGE: i64 = 16;

/// How far one look into the log goes: a rare type must not have the whole log read at once.
const REACH: i64 = 10_000;

/// When a webhook is looked at again whose secret cannot be opened: that is no fault of its own.
const LOCKED_OUT: TimeDelta = TimeDelta::minutes(1);

/// How long deliveries that are under way may take at the end of the process.
const FINISH: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("an event cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("the database did not answer in time")]
    Late,
}

/// Takes one step in the database, in time. The connection of a step that was cut off is closed: it
/// may go on waiting, and nobody else with it.
macro_rules! step {
    ($worker:expr, $db:ident => $work:expr) => {{
        let mut connection = timeout(STEP, $worker.pool.acquire())
            .await
            .map_err(|_| Fault::Late)??;
        let $db = &mut *connection;
        let outcome = timeout(STEP, $work).await;
        match outcome {
            Ok(outcome) => outcome.map_err(Fault::from),
            Err(_) => {
                connection.close_on_drop();
                Err(Fault::Late)
            }
        }
    }};
}

/// Whether a webhook goes on being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Done,
}

/// Delivers events to webhooks.
pub struct Worker {
    pool: PgPool,
    sealer: Sealer,
    sender: Sender,
    clock: SharedClock,
    entropy: SharedEntropy,
}

impl Worker {
    /// A worker that connects to public addresses and `allowed` ones. `scrubber` takes tokens out of
    /// what is kept of answers.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        pool: PgPool,
        sealer: Sealer,
        allowed: &NetworkList,
        scrubber: Scrubber,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            pool,
            sealer,
            sender: Sender::new(allowed, TIMEOUT, scrubber)?,
            clock,
            entropy,
        })
    }

    /// Delivers until `stop`. Faults are logged and tried again: nothing is lost while it waits.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut serving = JoinSet::new();
        let mut failing = false;
        while !stop.is_cancelled() {
            let free = AT_ONCE - serving.len();
            let found = this.lease(free).await;
            let full = found.as_ref().is_ok_and(|found| found.len() == free);
            match &found {
                Err(error) if !failing => tracing::warn!(%error, "webhooks wait"),
                Ok(_) if failing => tracing::info!("webhooks go on"),
                Ok(_) | Err(_) => {}
            }
            failing = found.is_err();
            for leased in found.unwrap_or_default() {
                let (this, stop) = (this.clone(), stop.clone());
                serving.spawn(async move { this.serve(leased, &stop).await });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                // More may wait, and whoever is done makes room for it.
                Some(ended) = serving.join_next(), if full => check(ended),
                () = tokio::time::sleep(PAUSE), if !full => {}
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

    async fn lease(&self, free: usize) -> Result<Vec<Leased>, Fault> {
        let limit = i64::try_from(free).unwrap_or(0);
        let (now, keys) = (self.clock.now(), self.sealer.headers());
        step!(self, db => queue::lease(db, now, LEASE, limit, &keys))
    }

    async fn serve(&self, mut leased: Leased, stop: &CancellationToken) {
        let webhook = leased.id;
        match self.turn(&mut leased, stop).await {
            Ok(()) => {}
            // Somebody has changed it meanwhile.
            Err(Fault::Queue(QueueError::Lost)) => {
                tracing::debug!(%webhook, "a lease on a webhook was lost");
            }
            // The lease runs out, and then it is tried again.
            Err(error) => tracing::warn!(%webhook, %error, "a webhook waits"),
        }
    }

    /// Sends what there is, in order, until something is not taken or others have their turn.
    async fn turn(&self, leased: &mut Leased, stop: &CancellationToken) -> Result<(), Fault> {
        let Some(secrets) = self.secrets(leased).await? else {
            let (since, failures) = (leased.failing_since, leased.failures);
            let at = self.clock.now() + LOCKED_OUT;
            return step!(self, db => queue::postpone(db, leased, since, failures, at));
        };
        let began = self.clock.boot_time();
        while leased.position < leased.head {
            let end = leased.head.min(leased.position.saturating_add(REACH));
            let range = (leased.position, end);
            let account = leased.account_id;
            let read = step!(self, db => read_matching(db, range, account, &leased.types, PAGE));
            let events = read?;
            let last = i64::try_from(events.len()).is_ok_and(|count| count < PAGE);
            for event in &events {
                if self.is_over(began, stop) {
                    return step!(self, db => queue::give_back(db, leased));
                }
                if self.deliver(leased, event, &secrets).await? == Next::Done {
                    return Ok(());
                }
            }
            // What lies between is not for this webhook.
            if last && end > leased.position {
                step!(self, db => queue::advance(db, leased, end, LEASE))?;
            }
            if self.is_over(began, stop) {
                break;
            }
        }
        step!(self, db => queue::give_back(db, leased))
    }

    /// Whether others have their turn, or all is at its end.
    fn is_over(&self, began: Duration, stop: &CancellationToken) -> bool {
        stop.is_cancelled() || self.clock.boot_time().saturating_sub(began) >= TURN
    }

    /// The secrets that sign now; none if the current one cannot be opened.
    async fn secrets(&self, leased: &Leased) -> Result<Option<Vec<SigningSecret>>, Fault> {
        let (webhook, now) = (leased.id, self.clock.now());
        let sealed = step!(self, db => secrets::active(db, webhook, now))?;
        let mut opened = Vec::new();
        let mut current = false;
        for row in &sealed {
            match SigningSecret::open(&self.sealer, webhook, row.id, &row.sealed) {
                Ok(secret) => {
                    opened.push(secret);
                    current |= row.current;
                }
                Err(_) => {
                    tracing::error!(
                        %webhook,
                        "a signing secret cannot be opened: is its key still in \
                         TOLLKEEPER_SEAL_KEYS?"
                    );
                }
            }
        }
        Ok(current.then_some(opened))
    }

    /// Sends one event and notes what came of it.
    async fn deliver(
        &self,
        leased: &mut Leased,
        event: &StoredEvent,
        secrets: &[SigningSecret],
    ) -> Result<Next, Fault> {
        let body = serde_json::to_vec(&json!({
            "type": event.event.name(),
            "timestamp": event.occurred_at,
            "data": public(event)?,
        }))?;
        let id = format!("evt_{}", event.event_id);
        let (now, began) = (self.clock.now(), self.clock.boot_time());
        let headers = headers(&id, now.timestamp(), secrets, &body);
        let sent = self.sender.send(&leased.url, headers, body).await;
        let took = self.clock.boot_time().saturating_sub(began);
        ATTEMPTS.with(sent.outcome.as_str()).increment(1);
        ATTEMPT_SECONDS.handle().record(took.as_secs_f64());
        let attempt = Attempt {
            id: self.entropy.uuid_v7(now),
            position: event.position,
            event_id: event.event_id,
            r#type: event.event.name().to_owned(),
            attempted_at: now,
            micros: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            outcome: sent.outcome.as_str().to_owned(),
            status: sent.status.map(i32::from),
            detail: sent.detail.clone(),
        };
        // For people to look at, and so before the cursor: the attempt was made in any case.
        step!(self, db => attempts::insert(db, leased.id, &attempt))?;
        if sent.outcome == Outcome::Delivered {
            step!(self, db => queue::advance(db, leased, event.position, LEASE))?;
            return Ok(Next::GoOn);
        }
        self.not_taken(leased, &sent).await?;
        Ok(Next::Done)
    }

    /// Tries again later, or gives the endpoint up.
    async fn not_taken(&self, leased: &Leased, sent: &Sent) -> Result<(), Fault> {
        let now = self.clock.now();
        let failures = leased.failures.saturating_add(1);
        let since = leased.failing_since.unwrap_or(now);
        let reason = match sent.status {
            Some(410) => Some(Reason::Gone),
            _ if is_hopeless(since, failures, now) => Some(Reason::Failing),
            _ => None,
        };
        if let Some(reason) = reason {
            step!(self, db => queue::disable(db, leased, reason, since, failures, now))?;
            DISABLED.with(reason.as_str()).increment(1);
            let webhook = leased.id;
            tracing::warn!(%webhook, reason = reason.as_str(), "a webhook is disabled");
            return Ok(());
        }
        let asked = sent.retry_after.as_deref();
        let asked = asked.and_then(|value| retry_after(value, now));
        let mut random = [0; 2];
        self.entropy.fill(&mut random);
        let at = now + delay(failures, asked, u16::from_le_bytes(random));
        step!(self, db => queue::postpone(db, leased, Some(since), failures, at))
    }
}

/// The headers of Standard Webhooks.
fn headers(id: &str, timestamp: i64, secrets: &[SigningSecret], body: &[u8]) -> HeaderMap {
    let signature = signatures(secrets, id, timestamp, body);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", &timestamp.to_string()),
        ("webhook-signature", &signature),
    ] {
        // An id, a number and base64 are fit for headers.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

/// A panic is a fault of ours and brings the process down.
fn check(ended: Result<(), JoinError>) {
    if let Err(died) = ended
        && died.is_panic()
    {
        resume_unwind(died.into_panic());
    }
}
