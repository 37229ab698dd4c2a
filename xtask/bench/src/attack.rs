//! Made-up tokens at full speed: what they do to the latency of good ones, how much they have the
//! database read, and whether the time of an answer tells anything of the tokens there are.

mod answers;
pub(crate) mod flood;

use std::time::Duration;

use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Node;

use self::flood::{Flood, Kind};
use crate::forward_auth::tokens;
use crate::report::{Report, median, spread};
use crate::traffic::Traffic;
use crate::{Arguments, Failure, open_loop};

/// How the good token is asked for.
const PATH: &str = "/v1/forward-auth?from=original&scope=orders:read";

/// Requests a second with the good token, far below what the server takes.
const RATE: f64 = 2000.0;

/// Good tokens in memory.
const GOOD: usize = 500;

/// The process tells its figures this often, at the least.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A figure that the process tells of itself.
async fn told(api: &Node, name: &str) -> Result<f64, Failure> {
    let metrics = api.about_itself("/metrics").await.text;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.ok_or_else(|| format!("no metric {name}").into())
}

/// Takes all figures.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let api = stack.api(&[]).await;
    let good = tokens(&api, GOOD).await;
    flood::ask_each(api.public, &good).await?;
    let mut quiet = Vec::new();
    let mut under = [const { Vec::new() }; Kind::ALL.len()];
    let (mut made_up, mut lookups, mut hits, mut due) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..arguments.pairs {
        quiet.push(p99(&api, &good[0], arguments).await?);
        for (kind, latencies) in Kind::ALL.into_iter().zip(&mut under) {
            tokio::time::sleep(TOLD_EVERY).await;
            let before = [
                told(&api, "tollkeeper_verification_lookups_total ").await?,
                told(
                    &api,
                    "tollkeeper_verification_checks_total{source=\"hit\"} ",
                )
                .await?,
            ];
            let flood = Flood::begin(api.public, kind, &good);
            latencies.push(p99(&api, &good[0], arguments).await?);
            let asked = flood.end().await?;
            if kind == Kind::MadeUp {
                made_up += asked;
                tokio::time::sleep(TOLD_EVERY).await;
                let now = [
                    told(&api, "tollkeeper_verification_lookups_total ").await?,
                    told(
                        &api,
                        "tollkeeper_verification_checks_total{source=\"hit\"} ",
                    )
                    .await?,
                ];
                lookups += now[0] - before[0];
                hits += now[1] - before[1];
                due += RATE * f64::from(arguments.seconds);
            }
        }
    }
    let [known, made_up_tokens, malformed] = under;
    let ratios = |of: &[f64], by: &[f64]| -> Vec<f64> {
        of.iter().zip(by).map(|(of, by)| of / by).collect()
    };
    for (name, latencies, base, base_name) in [
        (
            "known tokens, against a quiet node",
            &known,
            &quiet,
            "quiet",
        ),
        (
            "made-up tokens, against known ones",
            &made_up_tokens,
            &known,
            "known tokens",
        ),
        (
            "malformed tokens, against known ones",
            &malformed,
            &known,
            "known tokens",
        ),
    ] {
        report.row(
            &format!("p99 of a good token while 64 clients ask at full speed with {name}"),
            "—",
            format!(
                "{}; {:.0} µs",
                spread(&ratios(latencies, base)),
                median(latencies.clone())
            ),
            format!("{:.0} µs, {base_name}", median(base.clone())),
        );
    }
    report.row(
        "hit rate of the good token meanwhile; look-ups for each 1,000 made-up tokens",
        "1; < 1,000",
        format!(
            "**{:.3}**; **{:.1}**",
            hits / due,
            1000.0 * lookups / made_up
        ),
        format!("{made_up:.0} made-up tokens"),
    );
    drop(api);
    answers::measure(stack, report).await
}

/// The p99 of a good token, in microseconds.
async fn p99(api: &Node, token: &str, arguments: &Arguments) -> Result<f64, Failure> {
    let latencies = open_loop::run(
        api.public,
        PATH,
        &Traffic::one(token),
        RATE,
        arguments.seconds,
    )
    .await?;
    Ok(latencies.quantile(0.99))
}
