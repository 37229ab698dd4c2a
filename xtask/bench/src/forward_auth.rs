//! Forward-auth against the floor: throughput, CPU and latency, with usage spooled and published,
//! the broker running and the ingestor stopped.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use crate::load::Load;
use crate::open_loop::{self, Latencies};
use crate::process::{Server, cpu_seconds};
use crate::report::{Report, median, spread};
use crate::traffic::Traffic;
use crate::{Arguments, Failure};

/// As nginx asks.
pub(crate) const PATH: &str = "/v1/forward-auth?from=original&scope=orders:read";

/// The share of the floor's rate at which latency is taken.
const LATENCY_LOAD: f64 = 0.6;

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
            let rate = LATENCY_LOAD * median(floor_rates);
            latency(&floor, &api, &tokens[0], rate, arguments, report).await?;
        }
    }
    Ok(())
}

/// Latency in open loop. A virtual machine is stopped now and then by its host, for milliseconds, and
/// that decides the p99 of a whole run: the floor's own differs tenfold from one to the next. So the
/// servers take turns by the second, and the floor against itself shows how well they can be told apart:
/// by the median second of each pair, by all seconds of all pairs together, in which everybody had about
/// as many stops, and by windows of 10 ms, which are mostly free of them.
async fn latency(
    floor: &Server,
    api: &Node,
    token: &str,
    rate: f64,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let traffic = Traffic::one(token);
    let (mut seconds, mut windows) = (Figures::default(), Figures::default());
    let mut together: [Vec<u32>; 3] = Default::default();
    for _ in 0..arguments.pairs {
        let mut sides = [Side::default(), Side::default(), Side::default()];
        for turn in 0..arguments.seconds as usize {
            for place in 0..sides.len() {
                // Nobody always comes after the same other.
                let place = (turn + place) % sides.len();
                let address = [floor.address, floor.address, api.public][place];
                let latencies = open_loop::run(address, PATH, &traffic, rate, 1).await?;
                sides[place].take(&latencies);
                together[place].extend(latencies.micros());
                drained(api).await;
            }
        }
        let [first, again, ours] = sides;
        for (figures, of_ours, of_floor, again) in [
            (&mut seconds, ours.seconds, first.seconds, again.seconds),
            (&mut windows, ours.windows, first.windows, again.windows),
        ] {
            let base = median(of_floor);
            figures.base.push(base);
            figures.ours.push(median(of_ours) / base);
            figures.control.push(median(again) / base);
        }
    }
    let [first, again, ours] = together.map(|all| open_loop::quantile(all, 0.99));
    report.row(
        &format!(
            "p99 in open loop at {rate:.0} req/s, all {} seconds together, against the floor's own",
            arguments.pairs * arguments.seconds as usize
        ),
        "≤ 1.25",
        format!("**{:.2}**", ours / first),
        format!(
            "{first:.0} µs; the floor against itself {:.2}",
            again / first
        ),
    );
    for (what, goal, figures) in [
        ("the median second", "≤ 1.25", seconds),
        ("the median window of 10 ms", "—", windows),
    ] {
        report.row(
            &format!("p99 in open loop at {rate:.0} req/s, {what}, against the floor's own"),
            goal,
            spread(&figures.ours),
            format!(
                "{:.0} µs; the floor against itself {}",
                median(figures.base),
                spread(&figures.control)
            ),
        );
    }
    Ok(())
}

/// What pairs came to: the floor's p99 in microseconds, and what the API's and the floor's own next one were
/// of it.
#[derive(Debug, Default)]
struct Figures {
    base: Vec<f64>,
    ours: Vec<f64>,
    control: Vec<f64>,
}

/// The p99 of one server in each window and in each second, in microseconds.
#[derive(Debug, Default)]
struct Side {
    windows: Vec<f64>,
    seconds: Vec<f64>,
}

impl Side {
    fn take(&mut self, latencies: &Latencies) {
        self.windows.extend(latencies.of_windows(0.99));
        self.seconds.push(latencies.quantile(0.99));
    }
}
