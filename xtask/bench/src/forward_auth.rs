//! Forward-auth against the floor: throughput, CPU and latency, with usage spooled and published,
//! the broker running and the ingestor stopped.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use crate::load::Load;
use crate::process::{Server, cpu_seconds};
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure, latency};

/// As nginx asks.
pub(crate) const PATH: &str = "/v1/forward-auth?from=original&scope=orders:read";

/// Issues `count` tokens.
pub(crate) async fn tokens(api: &Node, count: usize) -> Vec<String> {
    let operator = api.operator();
    let account = operator.account(&format!("bench-{count}")).await;
    let mut tokens = Vec::with_capacity(count);
    for _ in 0..count {
        let issued = operator
            .issue(&account, json!({ "scopes": ["orders:read"] }))
            .await;
        tokens.push(issued["token"].as_str().unwrap_or_default().to_owned());
    }
    tokens
}

/// Between two looks at whether the spool is drained. To be asked for its metrics costs the API as much as
/// hundreds of requests, and would count among what those cost.
const LOOK: Duration = Duration::from_millis(250);

/// Waits until the broker has everything that was spooled.
pub(crate) async fn drained(api: &Node) {
    wait_for("the spool to drain", async || {
        sleep(LOOK).await;
        let metrics = api.about_itself("/metrics").await.text;
        let value = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse::<f64>().ok())
        };
        let appended = value("tollkeeper_usage_spool_appended_total ");
        appended.is_some() && appended == value("tollkeeper_usage_published_events_total ")
    })
    .await;
}

/// Takes all figures against the floor.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let floor = Server::start("serve-floor", &[]).await?;
    let api = stack.api(&[]).await;
    for count in [1, 500] {
        let tokens = tokens(&api, count).await;
        let load = Load::new(PATH, &tokens)?;
        // Everything warm: caches, connections, branch predictors.
        load.run(floor.address, 1).await?;
        load.run(api.public, 1).await?;
        drained(&api).await;
        let mut throughput = Vec::new();
        let mut cpu = Vec::new();
        let (mut floor_rates, mut rates, mut floor_cpu) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..arguments.pairs {
            let before = cpu_seconds(floor.pid())?;
            let base = load.run(floor.address, arguments.seconds).await?;
            let base_cpu = (cpu_seconds(floor.pid())? - before) / base.requests;
            let before = cpu_seconds(api.pid())?;
            let ours = load.run(api.public, arguments.seconds).await?;
            drained(&api).await;
            // Publishing what was spooled is part of what a request costs.
            let our_cpu = (cpu_seconds(api.pid())? - before) / ours.requests;
            throughput.push(ours.per_second / base.per_second);
            cpu.push(our_cpu / base_cpu);
            floor_rates.push(base.per_second);
            rates.push(ours.per_second);
            floor_cpu.push(base_cpu * 1e6);
        }
        let name = if count == 1 {
            "one hot token"
        } else {
            "500 tokens"
        };
        report.row(
            &format!("forward-auth throughput against the floor, {name}"),
            "≥ 0.90",
            format!("{}; {:.0} req/s", spread(&throughput), median(rates)),
            format!("{:.0} req/s", median(floor_rates.clone())),
        );
        report.row(
            &format!("CPU of the API process per verified request against the floor's, {name}"),
            "≤ 1.15",
            spread(&cpu),
            format!("{:.1} µs", median(floor_cpu)),
        );
        if count == 1 {
            let most = median(floor_rates);
            latency::measure(&floor, &api, &tokens[0], most, arguments, report).await?;
        }
    }
    Ok(())
}
