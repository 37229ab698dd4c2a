//! A node: an engine, its clock, and the primary it reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::Clock;
use tollkeeper_authn::{
    Engine, EngineConfig, EngineStatus, Requirement, StalePolicy, Verification,
};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::wait_for;

use crate::primary::{Held, Primary};

/// A clock that stands still unless moved.
#[derive(Debug)]
pub struct HandClock {
    boot_nanos: AtomicU64,
    wall_micros: AtomicI64,
}

impl HandClock {
    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.pass_boot(time);
        self.move_wall(time.as_micros() as i64);
    }

    /// Only the monotonic clock goes on.
    pub fn pass_boot(&self, time: Duration) {
        let nanos = time.as_nanos() as u64;
        self.boot_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Only the wall clock moves.
    pub fn move_wall(&self, micros: i64) {
        self.wall_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn wall_micros(&self) -> i64 {
        self.wall_micros.load(Ordering::Relaxed)
    }

    fn boot_time(&self) -> Duration {
        Duration::from_nanos(self.boot_nanos.load(Ordering::Relaxed))
    }
}

pub struct Node {
    pub engine: Arc<Engine>,
    pub clock: Arc<HandClock>,
    pub primary: Arc<Primary>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
        self.running.abort();
    }
}

/// Defaults, except that the proof moves only when a test says so, and balances are read with their
/// tokens alone.
pub fn config() -> EngineConfig {
    EngineConfig {
        proof_interval: Duration::from_secs(365 * 86_400),
        balance_interval: Duration::from_secs(365 * 86_400),
        ..EngineConfig::new("tk".parse().unwrap())
    }
}

impl Node {
    /// A node that has had its first proof.
    pub async fn start() -> Self {
        Self::start_with(config(), Arc::default()).await
    }

    pub async fn start_allowing_stale() -> Self {
        let config = EngineConfig {
            stale_policy: StalePolicy::Allow,
            ..config()
        };
        Self::start_with(config, Arc::default()).await
    }

    pub async fn start_with(config: EngineConfig, primary: Arc<Primary>) -> Self {
        let before = primary.attended().len();
        let node = Self::start_unproven(config, primary);
        node.engine.prove().await.unwrap();
        // The engine's own first pass must not come in the middle of what a test arranges. Of the two
        // passes, the first one tells twice.
        wait_for("both first passes", async || {
            node.primary.attended().len() >= before + 3
        })
        .await;
        node
    }

    pub fn start_unproven(config: EngineConfig, primary: Arc<Primary>) -> Self {
        let clock = Arc::new(HandClock {
            boot_nanos: AtomicU64::new(1_000_000_000_000),
            wall_micros: AtomicI64::new(1_800_000_000_000_000),
        });
        let engine = Arc::new(Engine::new(config, primary.clone(), clock.clone()));
        let stop = CancellationToken::new();
        let run = Arc::clone(&engine).run(stop.clone());
        let running = tokio::spawn(async move { run.await.unwrap() });
        Self {
            engine,
            clock,
            primary,
            stop,
            running,
        }
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }

    pub async fn check(&self, token: &Held) -> Verification {
        self.check_text(&token.text).await
    }

    pub async fn check_text(&self, text: &str) -> Verification {
        self.engine
            .verify(text.as_bytes(), &Requirement::default())
            .await
    }

    pub async fn verdict(&self, token: &Held) -> Verdict {
        self.check(token).await.verdict
    }

    /// A check on its way, so that something can happen meanwhile.
    pub fn check_later(&self, token: &Held) -> JoinHandle<Verification> {
        let (engine, text) = (Arc::clone(&self.engine), token.text.clone());
        tokio::spawn(async move {
            engine
                .verify(text.as_bytes(), &Requirement::default())
                .await
        })
    }

    /// The verdict if memory alone gives one.
    pub fn remembered(&self, token: &Held) -> Option<Verdict> {
        self.engine
            .try_verify(token.text.as_bytes(), &Requirement::default())
            .ok()
            .map(|verification| verification.verdict)
    }

    pub async fn prove(&self) {
        self.engine.prove().await.unwrap();
    }

    pub fn status(&self) -> EngineStatus {
        self.engine.status()
    }

    /// Lets other tasks go on until `condition` holds.
    pub async fn until(&self, condition: impl Fn(&EngineStatus) -> bool) {
        while !condition(&self.status()) {
            tokio::task::yield_now().await;
        }
    }
}
