//! How long answers take for tokens that nobody has issued, and for those that are all but one
//! character of one that somebody has: whether the time tells that they are near.

use hdrhistogram::Histogram;
use serde_json::json;
use tokio::net::TcpStream;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_domain::secret::{Brand, Environment, TokenSecret};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::flood::ask;
use crate::Failure;
use crate::report::Report;

/// Tokens of each kind.
const EACH: usize = 1000;

/// The random part of a token, as bytes of which each is one character.
type Part = [u8; 32];

fn part() -> Part {
    let mut part = [0; 32];
    SystemEntropy.fill(&mut part);
    part.map(|byte| byte % 62)
}

/// The same but for its last character.
fn near(mut part: Part) -> Part {
    part[31] = (part[31] + 1) % 62;
    part
}

/// The same beginning, which is what people are shown, and another end.
fn same_prefix(of: Part) -> Part {
    let mut other = part();
    other[..4].copy_from_slice(&of[..4]);
    other
}

fn secret(brand: &Brand, part: Part) -> TokenSecret {
    TokenSecret::generate(brand, Environment::Live, |bytes| {
        bytes.copy_from_slice(&part);
    })
}

/// Imports tokens; gives their paths.
async fn import(operator: &Person, brand: &Brand, parts: &[Part]) -> Result<Vec<String>, Failure> {
    let account = operator.account("bench-attack").await;
    let tokens: Vec<_> = parts
        .iter()
        .map(|part| {
            let hash = serde_json::to_value(secret(brand, *part).hash())?;
            Ok(json!({ "account_id": account, "name": "a token", "hash": hash }))
        })
        .collect::<Result<_, Failure>>()?;
    let mut paths = Vec::new();
    for call in tokens.chunks(1000) {
        let body = json!({ "tokens": call });
        let made = operator.post("/v1/tokens/import", body).await.expect(201);
        let ids = made["ids"].as_array().into_iter().flatten();
        paths.extend(ids.filter_map(|id| Some(format!("/v1/tokens/{}", id.as_str()?))));
    }
    Ok(paths)
}

/// Takes the times, one request after the other, of all kinds in turn.
pub(super) async fn measure(stack: &mut Stack, report: &mut Report) -> Result<(), Failure> {
    let settings = [("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "0")];
    let writing = stack.api(&settings).await;
    let operator = writing.operator();
    let brand: Brand = "tk".parse()?;
    let parts: Vec<Part> = (0..2 * EACH).map(|_| part()).collect();
    let paths = import(&operator, &brand, &parts).await?;
    let (live, revoked) = parts.split_at(EACH);
    for path in &paths[EACH..] {
        operator.delete(path).await.expect(200);
    }
    // One that has read none of them.
    let api = stack.api(&settings).await;
    let kinds = [
        "made up",
        "one character from a live token",
        "the prefix of a revoked token",
    ];
    let mut cold = [const { Vec::new() }; 3];
    let mut warm = [const { Vec::new() }; 3];
    let mut stream = TcpStream::connect(api.public).await?;
    stream.set_nodelay(true)?;
    for (live, revoked) in live.iter().zip(revoked) {
        for (kind, part) in [part(), near(*live), same_prefix(*revoked)]
            .into_iter()
            .enumerate()
        {
            let token = secret(&brand, part);
            for times in [&mut cold[kind], &mut warm[kind]] {
                let before = SystemClock.boot_time();
                let status = ask(&mut stream, token.expose()).await?;
                let took = SystemClock.boot_time().saturating_sub(before);
                if status != 401 {
                    return Err(format!("{} was answered {status}", kinds[kind]).into());
                }
                times.push(u64::try_from(took.as_nanos())?);
            }
        }
    }
    for (when, times) in [("read", &cold), ("remembered", &warm)] {
        let mut shown = Vec::new();
        for (kind, times) in kinds.iter().zip(times) {
            let mut all = Histogram::<u64>::new(3)?;
            times.iter().try_for_each(|nanos| all.record(*nanos))?;
            let at = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
            let (low, middle, high) = (at(0.1), at(0.5), at(0.9));
            shown.push(format!("{kind}: {low:.0} / **{middle:.0}** / {high:.0} µs"));
        }
        let base = shown.remove(0);
        report.row(
            &format!("time of an answer to a token that is none, {when} (p10 / p50 / p90)"),
            "the same",
            shown.join("; "),
            base,
        );
    }
    Ok(())
}
