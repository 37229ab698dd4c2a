//! What nodes tell one another of their rate limits, by core NATS.
//!
//! Each node decides by itself and at once. A few dozen times a second it tells the others what it has
//! let through since, of the limits that were charged, and takes over what they tell. Until then the
//! others let through what they know of: the overshoot is what all nodes together let through within
//! the time that a message takes, and it is paid back, because what was let through counts against what
//! comes next.
//!
//! Messages may be lost, which lets more through, once; nothing that comes by message lets more through
//! than without it. A node that hears nothing, its own messages among it, goes by its share (`peers`).

mod outbox;
mod peers;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use futures::StreamExt;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use self::outbox::Outbox;
use self::peers::Peers;
use self::wire::Message;
use crate::counters::Count;
use crate::engine::Engine;
use crate::time::Moment;

/// The subject that limits are told of on.
pub const SUBJECT: &str = "tollkeeper.limits";

/// Between two times that what was taken is told of.
const EACH: Duration = Duration::from_millis(20);

/// Whoever has nothing to tell says at least so often that it is there.
const PRESENCE: Duration = Duration::from_secs(1);

/// What the last message of a node may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The subject could not be listened to: the client has been closed.
#[derive(Debug, thiserror::Error)]
#[error("limits of other nodes cannot be listened to")]
pub struct ExchangeError(#[from] async_nats::SubscribeError);

/// Tells the other nodes what this one, of this id, lets through, and takes over what they tell, until
/// `stop` is called. The subscription outlives reconnects.
///
/// # Errors
/// [`ExchangeError`] if the client has been closed.
pub async fn run(
    client: Client,
    engine: Arc<Engine>,
    node: Uuid,
    stop: CancellationToken,
) -> Result<(), ExchangeError> {
    let outbox = engine.outbox.get_or_init(Outbox::new);
    let mut exchange = Exchange {
        client: &client,
        engine: &engine,
        outbox,
        node,
        peers: Peers::default(),
        told: None,
    };
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    'subscribed: loop {
        let mut messages = client.subscribe(SUBJECT).await?;
        loop {
            tokio::select! {
                () = stop.cancelled() => break 'subscribed,
                _ = ticks.tick() => exchange.tick().await,
                message = messages.next() => match message {
                    Some(message) => exchange.heed(&message.payload),
                    // The stream of a living client ends only if the subscription was lost.
                    None => break,
                },
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(PRESENCE) => {}
        }
    }
    exchange.take_leave().await;
    Ok(())
}

struct Exchange<'a> {
    client: &'a Client,
    engine: &'a Engine,
    outbox: &'a Outbox,
    node: Uuid,
    peers: Peers,
    /// When this node last told something.
    told: Option<Duration>,
}

impl Exchange<'_> {
    fn now(&self) -> Duration {
        self.engine.clock.boot_time()
    }

    /// Tells what was taken, or that the node is there, and brings its share up to date.
    async fn tick(&mut self) {
        let now = self.now();
        if self.client.connection_state() != State::Connected {
            self.peers.cut();
        }
        let share = self.peers.share(now);
        self.engine.set_share(share);
        if self.client.connection_state() != State::Connected {
            // By its share alone: what it lets through meanwhile is nobody else's.
            self.outbox.discard();
            self.told = None;
            return;
        }
        let silent = self
            .told
            .is_none_or(|told| now.saturating_sub(told) >= PRESENCE);
        let taken = self.outbox.take(wire::MOST_TAKEN);
        if silent || !taken.is_empty() {
            self.told = Some(now);
            self.tell(&Message::new(self.node, taken)).await;
        }
    }

    async fn tell(&self, message: &Message) {
        match self.client.publish(SUBJECT, message.write().into()).await {
            Ok(()) => self.engine.counters.add(Count::LimitsTold, 1),
            Err(error) => tracing::debug!(%error, "what was taken of limits could not be told"),
        }
    }

    /// Takes in one message.
    fn heed(&mut self, payload: &[u8]) {
        let now = self.now();
        let message = match Message::read(payload) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, "a message about limits is not heeded");
                self.engine.counters.add(Count::LimitsNotHeeded, 1);
                return;
            }
        };
        if message.node == self.node {
            self.peers.echo(now);
            return;
        }
        if message.leaves {
            self.peers.left(message.node);
        } else if !self.peers.heard(message.node, now) {
            self.engine.counters.add(Count::LimitsNotHeeded, 1);
            return;
        }
        self.engine.counters.add(Count::LimitsHeard, 1);
        let nodes = self.peers.share(now).of;
        let buckets = &self.engine.store.buckets;
        let ticks = buckets.ticks(Moment::now(&*self.engine.clock).boot_nanos);
        for taken in &message.taken {
            buckets.take_over(taken.key(), taken.rate(), taken.units, (ticks, nodes));
        }
    }

    /// Tells the others that they need not count on this node any more.
    async fn take_leave(&self) {
        if self.client.connection_state() != State::Connected {
            return;
        }
        self.tell(&Message::new(self.node, self.outbox.take(wire::MOST_TAKEN)))
            .await;
        self.tell(&Message::farewell(self.node)).await;
        if timeout(FAREWELL, self.client.flush()).await.is_err() {
            tracing::debug!("the other nodes could not be told that this one stops");
        }
    }
}
