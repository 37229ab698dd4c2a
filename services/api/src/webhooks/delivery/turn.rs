//! A turn: one webhook is served, event by event.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tollkeeper_event_store::{StoredEvent, read_matching};
use tollkeeper_telemetry::webhooks::{ATTEMPT_SECONDS, ATTEMPTS, DISABLED};

use super::schedule::{delay, is_hopeless, retry_after};
use super::send::{Outcome, Sent};
use super::sign::signatures;
use super::step::{Fault, step};
use super::worker::{LEASE, Worker};
use crate::public_event::public;
use crate::webhooks::secret::SigningSecret;
use crate::webhooks::store::attempts::{self, Attempt};
use crate::webhooks::store::endpoints::Reason;
use crate::webhooks::store::queue::{self, Leased, QueueError};
use crate::webhooks::store::secrets;

/// How long one webhook is served before others have their turn.
const TURN: Duration = Duration::from_secs(10);

/// How many events are read at once.
const PAGE: i64 = 16;

/// How far one look into the log goes: a rare type must not have the whole log read at once.
const REACH: i64 = 10_000;

/// Whether a webhook goes on being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Done,
}

impl Worker {
    /// Serves a leased webhook for a while.
    pub(super) async fn serve(&self, mut leased: Leased, stop: &CancellationToken) {
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
        let (webhook, now) = (leased.id, self.clock.now());
        let sealed = step!(self.pool, db => secrets::active(db, webhook, now))?;
        let Some(secrets) = self.keys.open(webhook, &sealed) else {
            // From now on it is left to those who can.
            return step!(self.pool, db => queue::give_back(db, leased));
        };
        let began = self.clock.boot_time();
        while leased.position < leased.head {
            let end = leased.head.min(leased.position.saturating_add(REACH));
            let range = (leased.position, end);
            let account = leased.account_id;
            let events =
                step!(self.pool, db => read_matching(db, range, account, &leased.types, PAGE))?;
            let last = i64::try_from(events.len()).is_ok_and(|count| count < PAGE);
            for event in &events {
                if self.is_over(began, stop) {
                    return step!(self.pool, db => queue::give_back(db, leased));
                }
                if self.deliver(leased, event, &secrets).await? == Next::Done {
                    return Ok(());
                }
            }
            // What lies between is not for this webhook.
            if last && end > leased.position {
                step!(self.pool, db => queue::advance(db, leased, end, LEASE))?;
            }
            if self.is_over(began, stop) {
                break;
            }
        }
        step!(self.pool, db => queue::give_back(db, leased))
    }

    /// Whether others have their turn, or all is at its end.
    fn is_over(&self, began: Duration, stop: &CancellationToken) -> bool {
        stop.is_cancelled() || self.clock.boot_time().saturating_sub(began) >= TURN
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
        let mut headers = headers(&id, now.timestamp(), secrets, &body);
        let trace = self.trace(event, leased, &mut headers).await;
        let sent = self.sender.send(&leased.url, headers, body).await;
        if let Some(trace) = trace {
            trace.end(&sent);
        }
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
        step!(self.pool, db => attempts::insert(db, leased.id, &attempt))?;
        if sent.outcome == Outcome::Delivered {
            step!(self.pool, db => queue::advance(db, leased, event.position, LEASE))?;
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
            step!(self.pool, db => queue::disable(db, leased, reason, since, failures, now))?;
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
        step!(self.pool, db => queue::postpone(db, leased, Some(since), failures, at))
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
