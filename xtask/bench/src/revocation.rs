//! How long a revoked token goes on passing, on three nodes that each carry their part of half of what
//! one node takes: with everything at work, with the broker cut off, and with the database cut off too.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack};

use crate::attack::flood::ask;
use crate::forward_auth::{PATH, tokens};
use crate::load::Load;
use crate::report::Report;
use crate::traffic::Traffic;
use crate::{Arguments, Failure, open_loop, plot};

const NODES: usize = 3;

/// How often a node is asked for the token that is being revoked.
const ASKED_EVERY: Duration = Duration::from_millis(1);

/// How long nodes answer without proof here, so that the measurement takes no minute.
const STALE_LIMIT: Duration = Duration::from_secs(5);

/// When one revocation had come into force on the last node, in milliseconds.
#[derive(Debug, Default)]
struct Latencies {
    /// Since it was asked for, which is before its commit.
    asked: Vec<f64>,
    /// Since it was answered, which is after its commit.
    answered: Vec<f64>,
}

/// Takes all figures, and draws them.
pub(crate) async fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let mut stack = Stack::as_in_production().await;
    let database = FaultProxy::start(stack.database.tcp_address()).await;
    let broker = FaultProxy::start(stack.nats.address()).await;
    stack.database_through(database.address());
    stack.nats_through(broker.address());
    let limit = STALE_LIMIT.as_secs().to_string();
    let deny = [("TOLLKEEPER_STALE_LIMIT_SECONDS", limit.as_str())];
    let allow = [deny[0], ("TOLLKEEPER_STALE_POLICY", "allow")];
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(stack.api(&deny).await);
    }
    let token = tokens(&nodes[0], 1).await.remove(0);
    let account = nodes[0].operator().account("bench-revocation").await;
    let load = Load::new(PATH, std::slice::from_ref(&token))?;
    let rate = load.run(nodes[0].public, 2).await?.per_second / 2.0;

    let live = under_load(&nodes, &token, &account, rate, arguments).await?;
    rows("everything at work", "≤ 50 ms", &live, rate, report)?;
    broker.cut();
    let without = under_load(&nodes, &token, &account, rate, arguments).await?;
    rows("broker cut off", "≤ 2 s", &without, rate, report)?;
    if let Some(folder) = &arguments.plots {
        draw(&folder.join("revocation-latency.svg"), &live, &without)?;
    }

    broker.resume();
    let allowing = stack.api(&allow).await;
    let mut clients = JoinSet::new();
    for node in &nodes {
        let mut client = Client::new(node.public, &token).await?;
        clients.spawn(async move { client.until(503).await });
    }
    let mut spared = Client::new(allowing.public, &token).await?;
    spared.ask(200).await?;
    let cut = SystemClock.boot_time();
    broker.cut();
    database.cut();
    let mut last = cut;
    while let Some(time) = clients.join_next().await {
        last = last.max(time??);
    }
    spared.ask(200).await?;
    report.row(
        "broker and database cut off: until the last node answers `UNAVAILABLE`",
        &format!("≤ {} s, as set; `allow` goes on", STALE_LIMIT.as_secs()),
        format!(
            "**{:.2} s**; `allow` answered 200 then",
            (last - cut).as_secs_f64()
        ),
        format!("{NODES} nodes"),
    );
    Ok(())
}

/// Revokes one token after the other for as long as the load goes on.
async fn under_load(
    nodes: &[Node],
    token: &str,
    account: &str,
    rate: f64,
    arguments: &Arguments,
) -> Result<Latencies, Failure> {
    let mut all = Latencies::default();
    for _ in 0..arguments.pairs {
        let mut load = JoinSet::new();
        for node in nodes {
            let (address, seconds) = (node.public, arguments.seconds);
            let (traffic, rate) = (Traffic::one(token), rate / nodes.len() as f64);
            load.spawn(async move { open_loop::run(address, PATH, &traffic, rate, seconds).await });
        }
        let end = SystemClock.boot_time() + Duration::from_secs(arguments.seconds.into());
        let mut number = 0;
        while SystemClock.boot_time() < end {
            number += 1;
            let by = nodes[number % nodes.len()].operator();
            revoke(nodes, &by, account, &mut all).await?;
        }
        while let Some(ended) = load.join_next().await {
            ended??;
        }
    }
    Ok(all)
}

/// Revokes a token that all nodes hold in memory.
async fn revoke(
    nodes: &[Node],
    operator: &Person,
    account: &str,
    all: &mut Latencies,
) -> Result<(), Failure> {
    let issued = operator.issue(account, json!({ "scopes": [] })).await;
    let token = issued["token"].as_str().ok_or("no token")?;
    let mut clients = JoinSet::new();
    for node in nodes {
        let mut client = Client::new(node.public, token).await?;
        client.ask(200).await?;
        clients.spawn(async move { client.until(401).await });
    }
    let id = issued["id"].as_str().ok_or("no id")?;
    let asked = SystemClock.boot_time();
    operator
        .delete(&format!("/v1/tokens/{id}"))
        .await
        .expect(200);
    let answered = SystemClock.boot_time();
    let mut last = Duration::ZERO;
    while let Some(time) = clients.join_next().await {
        last = last.max(time??);
    }
    let milliseconds = |since: Duration| last.saturating_sub(since).as_secs_f64() * 1e3;
    all.asked.push(milliseconds(asked));
    all.answered.push(milliseconds(answered));
    Ok(())
}

/// A client with one token at one node.
struct Client {
    stream: TcpStream,
    token: String,
}

impl Client {
    async fn new(address: SocketAddr, token: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let token = token.to_owned();
        Ok(Self { stream, token })
    }

    async fn ask(&mut self, expected: u16) -> Result<(), Failure> {
        let status = ask(&mut self.stream, &self.token).await?;
        if status == expected {
            Ok(())
        } else {
            Err(format!("{status}, not {expected}").into())
        }
    }

    /// When the request left that was the first to be answered so.
    async fn until(&mut self, expected: u16) -> Result<Duration, Failure> {
        loop {
            let now = SystemClock.boot_time();
            let status = ask(&mut self.stream, &self.token).await?;
            if status == expected {
                return Ok(now);
            }
            if status != 200 {
                return Err(format!("{status}, not {expected}").into());
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }
}

fn quantile(figures: &[f64], quantile: f64) -> Result<f64, Failure> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1).ok_or("nothing was revoked")?;
    Ok(sorted[(last as f64 * quantile).round() as usize])
}

fn rows(
    how: &str,
    goal: &str,
    all: &Latencies,
    rate: f64,
    report: &mut Report,
) -> Result<(), Failure> {
    let text = |figures: &[f64]| -> Result<String, Failure> {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|it| quantile(figures, it));
        Ok(format!(
            "**{:.1} ms** p99, {:.1} ms median, {:.1} ms most",
            p99?, p50?, most?
        ))
    };
    for (since, figures) in [("asked for", &all.asked), ("answered", &all.answered)] {
        report.row(
            &format!("revocation on the last of {NODES} nodes since it was {since}, {how}"),
            &format!("p99 {goal}"),
            text(figures)?,
            format!("{} revocations, {rate:.0} req/s", figures.len()),
        );
    }
    Ok(())
}

fn draw(file: &Path, live: &Latencies, without: &Latencies) -> Result<(), Failure> {
    plot::shares(
        file,
        "Share of revocations in force on all three nodes, by time since they were asked for",
        &[
            ("everything at work", &live.asked),
            ("broker cut off", &without.asked),
        ],
    )
}
