//! What metrics cost the verification path: what is recorded of each request, as a share of the CPU
//! time that the request takes, and what it costs others that somebody scrapes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tollkeeper_ambient::{Clock, SharedClock, SystemClock};
use tollkeeper_api::Measures;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Node;

use crate::forward_auth::{PATH, drained, tokens};
use crate::load::{Load, Run};
use crate::process::cpu_seconds;
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure};

/// Requests that are recorded by each thread.
const RECORDED: u32 = 5_000_000;

/// Prometheus does it every 15 seconds or less often.
const SCRAPED_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let api = stack.api(&[]).await;
    let load = Load::new(PATH, &tokens(&api, 1).await)?;
    load.run(api.public, 1).await?;
    drained(&api).await;
    let (mut ratios, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..arguments.pairs {
        let before = cpu_seconds(api.pid())?;
        let left_alone = load.run(api.public, arguments.seconds).await?;
        drained(&api).await;
        cpu.push((cpu_seconds(api.pid())? - before) / left_alone.requests);
        let scraped = scraped(&api, &load, arguments.seconds).await?;
        drained(&api).await;
        ratios.push(scraped.per_second / left_alone.per_second);
    }
    let nanos = (0..arguments.pairs).map(|_| recording());
    let nanos: Vec<f64> = nanos.collect::<Result<_, Failure>>()?;
    let of_request: Vec<f64> = nanos
        .iter()
        .map(|nanos| nanos / 1e9 / median(cpu.clone()) * 100.0)
        .collect();
    report.row(
        "CPU time that a request's metrics take, in per cent of the API's for a verified request",
        "< 3",
        format!("{}; {:.0} ns", spread(&of_request), median(nanos)),
        format!("{:.1} µs", median(cpu) * 1e6),
    );
    report.row(
        "forward-auth throughput, metrics scraped once a second, against not scraped",
        "≥ 0.97",
        spread(&ratios),
        "—".to_owned(),
    );
    Ok(())
}

/// A run during which somebody scrapes.
async fn scraped(api: &Node, load: &Load, seconds: u32) -> Result<Run, Failure> {
    let scraping = async {
        let mut tick = tokio::time::interval(SCRAPED_EVERY);
        loop {
            tick.tick().await;
            black_box(api.about_itself("/metrics").await.text.len());
        }
    };
    tokio::select! {
        run = load.run(api.public, seconds) => run,
        never = scraping => never,
    }
}

/// Nanoseconds of CPU time for what is recorded of one request to forward-auth, with as many threads at
/// it as the machine has cores.
fn recording() -> Result<f64, Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    let measures = Measures::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let before = cpu_seconds(std::process::id())?;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..RECORDED).for_each(|_| record(&measures, &*clock)));
        }
    });
    let took = cpu_seconds(std::process::id())? - before;
    Ok(took * 1e9 / f64::from(RECORDED) / threads as f64)
}

/// What the API does for each request on account of metrics.
fn record(measures: &Measures, clock: &dyn Clock) {
    let began = black_box(clock.boot_time());
    // The time of the verdict is taken in any case: usage tells it.
    measures.verified(
        black_box(Verdict::Valid),
        black_box(Duration::from_micros(2)),
    );
    let took = clock.boot_time().saturating_sub(began);
    measures.answered(measures.forward_auth(), black_box(StatusCode::OK), took);
}
