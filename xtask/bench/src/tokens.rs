//! From 1,000 tokens to as many as were asked for: latency and CPU of hits, latency of the first
//! request with a token, and the memory of the process.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_domain::secret::{Environment, TokenSecret};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

use crate::attack::flood;
use crate::forward_auth::{PATH, drained};
use crate::process::{cpu_seconds, own_bytes};
use crate::report::{Report, median, spread};
use crate::traffic::Traffic;
use crate::{Arguments, Failure, open_loop};

/// How many tokens are in use, next to all of them.
const SIZES: [usize; 2] = [1_000, 100_000];

/// Requests a second while tokens are in memory, well below what the server takes.
const RATE: f64 = 8_000.0;

/// Requests a second with tokens that are not.
const COLD_RATE: f64 = 500.0;

/// Room for all tokens.
const ROOM: &str = "1GiB";

/// Room for a part of them.
const LITTLE_ROOM: &str = "64MiB";

/// Clients that ask for every token once.
const CLIENTS: usize = 64;

/// Tokens in one call, the most that there may be.
const A_CALL: usize = 1_000;

const MIB: f64 = 1024.0 * 1024.0;

/// Takes all figures.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let settings = |room| {
        [
            ("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "0"),
            ("TOLLKEEPER_PRELOAD_TOKENS", "0"),
            ("TOLLKEEPER_CACHE_BYTES", room),
        ]
    };
    // Each measurement has a process of its own, without what an earlier one left behind.
    let importing = stack.api(&settings(ROOM)).await;
    let tokens = imported(&importing.operator(), arguments.tokens as usize).await?;
    drop(importing);
    let api = stack.api(&settings(ROOM)).await;
    cold(&api, &tokens, arguments, report).await?;
    drop(api);
    let api = stack.api(&settings(ROOM)).await;
    warm(&api, &tokens, arguments, report).await?;
    drop(api);

    let small = stack.api(&settings(LITTLE_ROOM)).await;
    let before = own_bytes(small.pid())?;
    ask_all(&small, &tokens).await?;
    let after = own_bytes(small.pid())?;
    report.row(
        &format!("memory after {} tokens were asked for once", tokens.len()),
        &format!("bound of the cache {LITTLE_ROOM}"),
        format!("**{:.0} MiB** more", (after - before) / MIB),
        format!("{:.0} MiB when ready", before / MIB),
    );
    Ok(())
}

/// The first request with a token, which reads the database.
async fn cold(
    api: &Node,
    tokens: &[String],
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let traffic = Traffic::in_turn(tokens);
    let latencies =
        open_loop::run(api.public, PATH, &traffic, COLD_RATE, arguments.seconds).await?;
    let at = |quantile| latencies.quantile(quantile) / 1e3;
    report.row(
        &format!(
            "first request with each token, {} in the database",
            tokens.len()
        ),
        "p99 ≤ 5 ms",
        format!("**{:.1} ms** p99, {:.1} ms median", at(0.99), at(0.5)),
        format!("{COLD_RATE:.0} req/s"),
    );
    Ok(())
}

/// One number of tokens in use, and what was measured with it in each round.
struct Size<'a> {
    tokens: &'a [String],
    name: &'static str,
    traffic: Traffic,
    p99: Vec<f64>,
    cpu: Vec<f64>,
}

/// Hits, with more and more tokens in memory.
async fn warm(
    api: &Node,
    tokens: &[String],
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let start = own_bytes(api.pid())?;
    let mut sizes = Vec::new();
    let mut asked = 0;
    for number in SIZES.into_iter().chain([tokens.len()]) {
        let number = number.min(tokens.len());
        ask_all(api, &tokens[asked..number]).await?;
        asked = number;
        drained(api).await;
        let now = own_bytes(api.pid())?;
        report.row(
            &format!("memory with {number} tokens in use"),
            &format!("bound of the cache {ROOM}"),
            format!("**{:.0} MiB**", now / MIB),
            format!("{:.0} MiB when ready", start / MIB),
        );
        let tokens = &tokens[..number];
        for (name, traffic) in [
            ("evenly", Traffic::evenly(tokens)),
            ("5 of them get 86 %", Traffic::skewed(tokens)),
        ] {
            let (p99, cpu) = (Vec::new(), Vec::new());
            sizes.push(Size {
                tokens,
                name,
                traffic,
                p99,
                cpu,
            });
        }
    }
    for _ in 0..arguments.pairs {
        for size in &mut sizes {
            let before = cpu_seconds(api.pid())?;
            let seconds = arguments.seconds;
            let latencies = open_loop::run(api.public, PATH, &size.traffic, RATE, seconds).await?;
            drained(api).await;
            let cpu = cpu_seconds(api.pid())? - before;
            size.cpu.push(cpu / latencies.len() as f64 * 1e6);
            size.p99.push(latencies.quantile(0.99));
        }
    }
    let base = sizes.remove(0);
    let against = |of: &[f64], by: &[f64]| -> Vec<f64> {
        of.iter().zip(by).map(|(of, by)| of / by).collect()
    };
    for size in &sizes {
        report.row(
            &format!(
                "p99 and CPU of hits, {} tokens, {}",
                size.tokens.len(),
                size.name
            ),
            "flat",
            format!(
                "{}; CPU {}",
                spread(&against(&size.p99, &base.p99)),
                spread(&against(&size.cpu, &base.cpu))
            ),
            format!(
                "1,000 tokens evenly: {:.0} µs, {:.1} µs of CPU, at {RATE:.0} req/s",
                median(base.p99.clone()),
                median(base.cpu.clone())
            ),
        );
    }
    Ok(())
}

/// Asks for each of these once, as fast as it goes.
async fn ask_all(api: &Node, tokens: &[String]) -> Result<(), Failure> {
    let mut clients = JoinSet::new();
    for part in tokens.chunks(tokens.len().div_ceil(CLIENTS).max(1)) {
        let (address, part) = (api.public, part.to_vec());
        clients.spawn(async move { flood::ask_each(address, &part).await });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// So many tokens that another system has issued in our form.
async fn imported(operator: &Person, number: usize) -> Result<Vec<String>, Failure> {
    let account = operator.account("bench-tokens").await;
    let brand = "tk".parse()?;
    let mut tokens = Vec::with_capacity(number);
    while tokens.len() < number {
        let mut items: Vec<Value> = Vec::with_capacity(A_CALL);
        for _ in 0..A_CALL.min(number - tokens.len()) {
            let fill = |bytes: &mut [u8]| SystemEntropy.fill(bytes);
            let secret = TokenSecret::generate(&brand, Environment::Live, fill);
            items.push(json!({
                "account_id": account,
                "name": "a token",
                "hash": secret.hash(),
                "token_prefix": secret.prefix(),
                "scopes": ["orders:read"],
            }));
            tokens.push(secret.expose().to_owned());
        }
        let answer = operator
            .post("/v1/tokens/import", json!({ "tokens": items }))
            .await;
        if answer.status != 201 {
            return Err(answer.text.into());
        }
    }
    Ok(tokens)
}
