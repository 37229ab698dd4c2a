//! How far nodes that are asked for the same token at once let through more than its limit says.
//!
//! The nodes are engines in this process, and what they tell one another goes through a real broker.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_authn::{
    AccountFacts, Attendance, BalanceKey, Engine, EngineConfig, Found, LogHead, LoggedEvent,
    Lookup, Requirement, SourceFuture, TokenFacts, TokenSource, Used, exchange,
};
use tollkeeper_domain::account::{self, Role};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::rate_limit::RateLimit;
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_domain::secret::{Environment, SecretHash, TokenSecret};
use tollkeeper_domain::token::{Lifecycle, Restrictions};
use tollkeeper_testkit::TestNats;
use uuid::Uuid;

use crate::report::{Report, say};
use crate::{Arguments, Failure};

/// Units a second.
const RATE: u32 = 1_000;

/// How often a node is asked, and so how evenly the requests come.
const TURN: Duration = Duration::from_millis(1);

/// How many times more is asked for than the rate lets through.
const OVER: f64 = 3.0;

/// Every digest belongs to one token with one limit.
#[derive(Debug)]
struct OneToken {
    burst: u32,
}

const HEAD: LogHead = LogHead {
    position: 0,
    hash: [0; 32],
    generation: 0,
};

impl TokenSource for OneToken {
    fn lookup<'a>(&'a self, digests: &'a [SecretHash]) -> SourceFuture<'a, Lookup> {
        let limit = RateLimit {
            name: "requests".into(),
            limit: RATE,
            window_seconds: 1,
            burst: self.burst,
            cost: 1,
        };
        let restrictions = Restrictions {
            rate_limits: vec![limit].try_into().unwrap_or_default(),
            ..Restrictions::default()
        };
        let found = digests.iter().map(|digest| Found {
            digest: *digest,
            token: TokenFacts {
                token_id: TokenId(Uuid::nil()),
                account_id: AccountId(Uuid::nil()),
                version: 1,
                environment: Environment::Live,
                scopes: ScopeSet::default(),
                not_before: None,
                expires_at: None,
                secret_valid_until: None,
                lifecycle: Lifecycle::Active,
                restrictions: Some(Box::new(restrictions.clone())),
            },
            account: AccountFacts {
                account_id: AccountId(Uuid::nil()),
                version: 1,
                lifecycle: account::Lifecycle::Active,
                role: Role::User,
                rate_limits: None,
                quotas: None,
            },
        });
        let found = found.collect();
        Box::pin(async { Ok(Lookup { head: HEAD, found }) })
    }

    /// It has no quotas.
    fn balances<'a>(&'a self, _: &'a [BalanceKey], _: &'a [Uuid]) -> SourceFuture<'a, Vec<Used>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn attend(&self, _: Attendance) -> SourceFuture<'_, LogHead> {
        Box::pin(async { Ok(HEAD) })
    }

    fn leave(&self) -> SourceFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn recently_used(&self, _: usize) -> SourceFuture<'_, Vec<SecretHash>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn events_after(&self, _: u64, _: usize) -> SourceFuture<'_, Vec<LoggedEvent>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Nodes that hear one another, with nothing taken of the limit yet.
struct Nodes {
    engines: Vec<Arc<Engine>>,
    token: String,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Nodes {
    async fn start(broker: &TestNats, number: u32, burst: u32) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut engines = Vec::new();
        let brand = "tk".parse()?;
        let secret = TokenSecret::generate(&brand, Environment::Live, |bytes| bytes.fill(7));
        for node in 0..number {
            let engine = Arc::new(Engine::new(
                EngineConfig::new(brand.clone()),
                Arc::new(OneToken { burst }),
                Arc::new(SystemClock),
            ));
            let (running, stopping) = (engine.clone(), stop.clone());
            tasks.spawn(async move { drop(running.run(stopping).await) });
            let client = broker.client().await;
            let (shared, stopping) = (engine.clone(), stop.clone());
            let id = Uuid::from_u128(node.into());
            tasks.spawn(async move { drop(exchange::run(client, shared, id, stopping).await) });
            engine.prove().await?;
            engines.push(engine);
        }
        for engine in &engines {
            while engine.status().nodes_heard < number {
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(Self {
            engines,
            token: secret.expose().to_owned(),
            stop,
            tasks,
        })
    }

    /// Asks all nodes for some seconds, each for its part of what is asked for, and gives what was let
    /// through as a ratio of what the limit says.
    async fn hammer(&self, parts: &[f64], burst: u32, seconds: u32) -> Result<f64, Failure> {
        let look = Requirement {
            cost: 0,
            ..Requirement::default()
        };
        for engine in &self.engines {
            engine.verify(self.token.as_bytes(), &look).await;
        }
        let began = SystemClock.boot_time();
        let end = began + Duration::from_secs(seconds.into());
        let mut workers = JoinSet::new();
        for (engine, part) in self.engines.iter().zip(parts) {
            let (engine, token) = (engine.clone(), self.token.clone());
            let rate = f64::from(RATE) * OVER * part;
            workers.spawn(async move {
                let mut turns = interval(TURN);
                turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let (mut asked, mut passed) = (0.0, 0_u32);
                loop {
                    turns.tick().await;
                    let now = SystemClock.boot_time();
                    if now >= end {
                        return passed;
                    }
                    // As many as are due, also after a turn that was missed; the burst at once.
                    let due = f64::from(burst) + (now - began).as_secs_f64() * rate;
                    while asked < due {
                        asked += 1.0;
                        let answer = engine
                            .verify(token.as_bytes(), &Requirement::default())
                            .await;
                        passed += u32::from(answer.is_valid());
                    }
                }
            });
        }
        let mut passed = 0;
        while let Some(one) = workers.join_next().await {
            passed += one?;
        }
        let took = (SystemClock.boot_time() - began).as_secs_f64();
        Ok(f64::from(passed) / (f64::from(burst) + f64::from(RATE) * took))
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Asks 1, 3 and 9 nodes for one token, evenly and unevenly, with a small and a large burst.
pub(crate) async fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    say("limits: nodes that share one token's limit");
    let broker = TestNats::start().await;
    for number in [1_u32, 3, 9] {
        for burst in [RATE / 10, RATE * 10] {
            for even in [true, false] {
                if number == 1 && !even {
                    continue;
                }
                let parts = parts(number, even);
                let nodes = Nodes::start(&broker, number, burst).await?;
                let ratio = nodes.hammer(&parts, burst, arguments.seconds).await?;
                nodes.stop().await;
                let how = if even { "evenly" } else { "nine tenths at one" };
                report.row(
                    &format!("admitted ÷ allowed, {number} nodes, burst {burst}, {how}"),
                    "—",
                    format!("**{ratio:.3}**"),
                    format!("{RATE} a second, {OVER} times as much asked for"),
                );
            }
        }
    }
    Ok(())
}

/// What part of the requests each node gets.
fn parts(number: u32, even: bool) -> Vec<f64> {
    let all = f64::from(number);
    (0..number)
        .map(|node| match (even, node) {
            (true, _) => 1.0 / all,
            (false, 0) => 0.9,
            (false, _) => 0.1 / (all - 1.0),
        })
        .collect()
}
