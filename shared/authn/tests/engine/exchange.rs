//! Rate limits across nodes, over a real broker.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tollkeeper_ambient::SystemClock;
use tollkeeper_authn::{Engine, EngineConfig, Requirement, exchange};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{FaultProxy, TestNats, wait_for};
use uuid::Uuid;

use crate::primary::{Held, Primary};

/// A day: nothing comes back while a test runs.
const DAY: u32 = 86_400;

/// A node that tells the others of its limits.
struct Peer {
    engine: Arc<Engine>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Peer {
    async fn start(primary: &Arc<Primary>, url: &str, number: u128) -> Self {
        let config = EngineConfig::new("tk".parse().unwrap());
        let clock = Arc::new(SystemClock);
        let engine = Arc::new(Engine::new(config, primary.clone(), clock));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let client = async_nats::connect(url).await.unwrap();
        let (shared, id) = (engine.clone(), Uuid::from_u128(number));
        let exchange = exchange::run(client, shared, id, stop.clone());
        tasks.spawn(async move { exchange.await.unwrap() });
        let run = engine.clone().run(stop.clone());
        tasks.spawn(async move { run.await.unwrap() });
        engine.prove().await.unwrap();
        Self {
            engine,
            stop,
            tasks,
        }
    }

    async fn leave(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn ask(&self, token: &Held, cost: u32) -> (Verdict, Vec<u32>) {
        let requirement = Requirement {
            cost,
            ..Requirement::default()
        };
        let answer = self.engine.verify(token.text.as_bytes(), &requirement);
        let answer = answer.await;
        let left = answer.rate_limits().map(|limit| limit.remaining);
        (answer.verdict, left.collect())
    }

    async fn verdict(&self, token: &Held) -> Verdict {
        self.ask(token, 1).await.0
    }

    /// Waits until so much is left of each limit.
    async fn knows(&self, token: &Held, left: &[u32]) {
        wait_for("what other nodes let through", async || {
            self.ask(token, 0).await == (Verdict::Valid, left.to_vec())
        })
        .await;
    }

    /// Waits until it hears so many of so many nodes.
    async fn shares_with(&self, heard: u32, nodes: u32) {
        wait_for("the other nodes to be heard or missed", async || {
            let status = self.engine.status();
            (status.nodes_heard, status.nodes_sharing) == (heard, nodes)
        })
        .await;
    }
}

/// So many nodes that hear one another.
async fn peers(primary: &Arc<Primary>, broker: &TestNats, number: u32) -> Vec<Peer> {
    let mut peers = Vec::new();
    for peer in 0..number {
        peers.push(Peer::start(primary, &broker.url(), u128::from(peer)).await);
    }
    for peer in &peers {
        peer.shares_with(number, number).await;
    }
    peers
}

#[tokio::test]
async fn what_one_node_lets_through_counts_on_all() {
    let (primary, broker) = (Arc::default(), TestNats::start().await);
    let account = Primary::register(&primary);
    let token = primary.issue(account);
    primary.limit(&token, &[("own", 10, DAY, 10)]);
    primary.limit_account(account, &[("all", 100, DAY, 100)]);
    let peers = peers(&primary, &broker, 3).await;
    let [one, other, third] = peers.as_slice() else {
        unreachable!("three were started");
    };
    one.knows(&token, &[100, 10]).await;
    other.knows(&token, &[100, 10]).await;
    assert_eq!(one.ask(&token, 6).await.0, Verdict::Valid);
    other.knows(&token, &[94, 4]).await;
    assert_eq!(other.ask(&token, 4).await.0, Verdict::Valid);
    one.knows(&token, &[90, 0]).await;
    // Nobody has asked the third about it before.
    third.knows(&token, &[90, 0]).await;
    for peer in &peers {
        assert_eq!(peer.verdict(&token).await, Verdict::RateLimited);
    }
    // What they refused was charged nowhere.
    let sibling = primary.issue(account);
    other.knows(&sibling, &[90]).await;
    assert_eq!(one.engine.status().counts.limits_not_heeded, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_are_asked_at_once_let_through_no_more_than_each_could_alone() {
    let (primary, broker) = (Arc::default(), TestNats::start().await);
    let token = Primary::issue(&primary, primary.register());
    primary.limit(&token, &[("own", 50, DAY, 50)]);
    let peers = peers(&primary, &broker, 3).await;
    for peer in &peers {
        peer.knows(&token, &[50]).await;
    }
    let hammers: Vec<_> = peers
        .iter()
        .map(|peer| {
            let (engine, text) = (peer.engine.clone(), token.text.clone());
            tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..500 {
                    let requirement = Requirement::default();
                    let answer = engine.verify(text.as_bytes(), &requirement).await;
                    passed += u32::from(answer.is_valid());
                    tokio::task::yield_now().await;
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for hammer in hammers {
        passed += hammer.await.unwrap();
    }
    assert!((50..=150).contains(&passed), "{passed}");
    for peer in &peers {
        peer.knows(&token, &[0]).await;
        assert_eq!(peer.verdict(&token).await, Verdict::RateLimited);
    }
}

#[tokio::test]
async fn forged_messages_refuse_at_worst() {
    let (primary, broker) = (Arc::default(), TestNats::start().await);
    let account = Primary::register(&primary);
    let (token, other) = (primary.issue(account), primary.issue(account));
    primary.limit(&token, &[("own", 10, DAY, 10)]);
    primary.limit(&other, &[("own", 10, DAY, 10)]);
    let peer = Peer::start(&primary, &broker.url(), 1).await;
    assert_eq!(peer.ask(&token, 3).await.0, Verdict::Valid);
    let forger = broker.client().await;
    let send = async |message: String| {
        let sent = forger.publish(exchange::SUBJECT, message.into()).await;
        sent.unwrap();
    };
    let node = Uuid::from_u128(7);
    let taken = |units: i64| {
        serde_json::json!([{
            "owner": { "token": token.id }, "name": "own", "units": units, "interval": 1, "burst": 1,
        }])
    };
    let garbage = [
        "junk".to_owned(),
        "{}".to_owned(),
        " ".repeat(600_000),
        serde_json::json!({ "version": 2, "node": node }).to_string(),
        serde_json::json!({ "version": 1, "node": node, "taken": taken(-5) }).to_string(),
        serde_json::json!({ "version": 1, "node": node, "taken": taken(0) }).to_string(),
    ];
    let number = garbage.len() as u64;
    for message in garbage {
        send(message).await;
    }
    wait_for("all to be counted", async || {
        peer.engine.status().counts.limits_not_heeded == number
    })
    .await;
    assert_eq!(
        peer.ask(&token, 0).await.1,
        [7],
        "nothing is given or taken"
    );
    assert_eq!(peer.engine.status().counts.limits_heard, 0);

    // As much as can be written: it is used up, and others are not.
    let message = serde_json::json!({ "version": 1, "node": node, "taken": taken(i64::MAX) });
    send(message.to_string()).await;
    peer.knows(&token, &[0]).await;
    assert_eq!(peer.verdict(&token).await, Verdict::RateLimited);
    assert_eq!(peer.verdict(&other).await, Verdict::Valid);
}

#[tokio::test]
async fn a_node_that_is_cut_off_lets_through_its_share_and_comes_back() {
    let (primary, broker) = (Arc::default(), TestNats::start().await);
    let account = Primary::register(&primary);
    let (token, single) = (primary.issue(account), primary.issue(account));
    primary.limit(&token, &[("own", 9, DAY, 9)]);
    primary.limit(&single, &[("own", 1, DAY, 1)]);
    let proxy = FaultProxy::start(broker.address()).await;
    let url = format!("nats://{}", proxy.address());
    let cut = Peer::start(&primary, &url, 100).await;
    let others = peers_beside(&primary, &broker, &cut).await;
    others[0].knows(&token, &[9]).await;
    others[0].knows(&single, &[1]).await;

    proxy.cut();
    cut.shares_with(1, 3).await;
    for _ in 0..3 {
        assert_eq!(cut.verdict(&token).await, Verdict::Valid);
    }
    assert_eq!(cut.verdict(&token).await, Verdict::RateLimited);
    // Less than one is one.
    assert_eq!(cut.verdict(&single).await, Verdict::Valid);
    assert_eq!(cut.verdict(&single).await, Verdict::RateLimited);
    // The others cannot know whether it goes on, and leave it its share.
    others[1].shares_with(2, 3).await;
    others[0].shares_with(2, 3).await;
    for _ in 0..6 {
        assert_eq!(others[0].verdict(&token).await, Verdict::Valid);
    }
    assert_eq!(others[0].verdict(&token).await, Verdict::RateLimited);

    proxy.resume();
    cut.shares_with(3, 3).await;
    others[0].shares_with(3, 3).await;
    let fresh = primary.issue(account);
    primary.limit(&fresh, &[("own", 9, DAY, 9)]);
    assert_eq!(cut.ask(&fresh, 9).await.0, Verdict::Valid);
    others[0].knows(&fresh, &[0]).await;

    // Who takes leave is not waited for.
    cut.leave().await;
    for other in &others {
        other.shares_with(2, 2).await;
    }
}

/// Two nodes more.
async fn peers_beside(primary: &Arc<Primary>, broker: &TestNats, first: &Peer) -> Vec<Peer> {
    let peers = vec![
        Peer::start(primary, &broker.url(), 1).await,
        Peer::start(primary, &broker.url(), 2).await,
    ];
    for peer in peers.iter().chain([first]) {
        peer.shares_with(3, 3).await;
    }
    peers
}
