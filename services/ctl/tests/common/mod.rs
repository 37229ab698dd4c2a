//! Load from clients that note how every request ended, and what must hold of it in the end.

pub(crate) mod clients;
pub(crate) mod verdict;

use std::env;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};

/// Set by `cargo xtask faults`.
const SEED: &str = "TOLLKEEPER_FAULTS_SEED";
const ROUNDS: &str = "TOLLKEEPER_FAULTS_ROUNDS";

/// What a test of faults is told to do.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// How many rounds of the long form; `None` for the short one.
    pub(crate) rounds: Option<u64>,
    pub(crate) random: fastrand::Rng,
}

impl Plan {
    pub(crate) fn read() -> Self {
        let seed = asked_for(SEED).unwrap_or(1);
        Self {
            seed,
            rounds: asked_for(ROUNDS),
            random: fastrand::Rng::with_seed(seed),
        }
    }
}

fn asked_for(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}: {value}")))
}

/// How long the broker waits for an acknowledgement.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(2);

/// Has the consumer of the ingestors be as it is shipped, but soon tired of waiting.
pub(crate) async fn hurry_redelivery(broker: &jetstream::Context) {
    let usage = broker.get_stream("USAGE").await.unwrap();
    let shipped = include_str!("../../../../nats/consumers/USAGE.ingestor.json");
    let shipped: pull::Config = serde_json::from_str(shipped).unwrap();
    let config = pull::Config {
        ack_wait: ACK_WAIT,
        ..shipped
    };
    usage.create_consumer(config).await.unwrap();
}

/// Prints to the person who looks.
#[allow(clippy::print_stdout, reason = "the table is what the test is for")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
