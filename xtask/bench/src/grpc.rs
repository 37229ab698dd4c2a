//! Envoy's `ext_authz` over gRPC beside forward-auth over HTTP/1.1, asked by the same client.

use std::fs;
use std::net::SocketAddr;

use tokio::process::Command;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Node;

use crate::forward_auth::{PATH, drained, tokens};
use crate::process::cpu_seconds;
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure};

/// Over HTTP/1.1 each request that waits needs a connection.
const HTTP: [&str; 4] = ["--h1", "-c64", "-H", "X-Forwarded-For: 203.0.113.9"];

/// As Envoy asks: a few connections, many requests at once on each.
const GRPC: [&str; 6] = [
    "-c4",
    "-m16",
    "-H",
    "te: trailers",
    "-H",
    "content-type: application/grpc",
];

/// What one run came to.
struct Run {
    per_second: f64,
    /// Of the API process, in microseconds for each request.
    cpu: f64,
}

/// Takes all figures.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let grpc: SocketAddr = ([127, 0, 0, 1], ports::free()?).into();
    let listen = grpc.to_string();
    let api = stack.api(&[("TOLLKEEPER_GRPC_LISTEN", &listen)]).await;
    let token = tokens(&api, 1).await.remove(0);
    let folder = tempfile::tempdir()?;
    let question = folder.path().join("question");
    fs::write(&question, framed(&check_request(&token)))?;

    let http_url = format!("http://{}{PATH}", api.public);
    let bearer = format!("Authorization: Bearer {token}");
    let original = [
        "X-Original-URI: /orders/17?page=2",
        "X-Original-Method: GET",
    ];
    let mut http: Vec<&str> = HTTP.to_vec();
    for header in original.into_iter().chain([bearer.as_str()]) {
        http.extend(["-H", header]);
    }
    http.push(&http_url);
    let grpc_url = format!("http://{grpc}/envoy.service.auth.v3.Authorization/Check");
    let question = question.display().to_string();
    let mut grpc: Vec<&str> = GRPC.to_vec();
    grpc.extend(["-d", &question, &grpc_url]);

    run(&api, &http, 1).await?;
    run(&api, &grpc, 1).await?;
    let (mut rates, mut cpus, mut base_rates, mut base_cpus) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.pairs {
        let base = run(&api, &http, arguments.seconds).await?;
        let ours = run(&api, &grpc, arguments.seconds).await?;
        rates.push(ours.per_second / base.per_second);
        cpus.push(ours.cpu / base.cpu);
        base_rates.push(base.per_second);
        base_cpus.push(base.cpu);
    }
    report.row(
        "`ext_authz` over gRPC, 4 connections, against forward-auth over HTTP/1.1, 64",
        "—",
        format!("{} throughput, {} CPU", spread(&rates), spread(&cpus)),
        format!(
            "{:.0} req/s, {:.1} µs",
            median(base_rates),
            median(base_cpus)
        ),
    );
    Ok(())
}

async fn run(api: &Node, arguments: &[&str], seconds: u32) -> Result<Run, Failure> {
    let counted = appended(api).await?;
    let before = cpu_seconds(api.pid())?;
    let output = Command::new("h2load")
        .args(["-t1", "-D", &seconds.to_string()])
        .args(arguments)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || !text.contains(" 0 failed, 0 errored") {
        return Err(format!("the load did not run clean:\n{text}").into());
    }
    drained(api).await;
    let cpu = cpu_seconds(api.pid())? - before;
    // gRPC says with 200 that it says no; only a request that was judged is counted.
    let requests = appended(api).await? - counted;
    let number = |line: &str, unit: &str| {
        let line = text.lines().find(|it| it.starts_with(line))?;
        let word = line.split(", ").find_map(|part| part.strip_suffix(unit))?;
        word.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let per_second = number("finished in", " req/s").ok_or_else(|| text.clone())?;
    let done = number("requests:", " succeeded").ok_or_else(|| text.clone())?;
    if requests < done {
        return Err(format!("{done} answered, {requests} judged:\n{text}").into());
    }
    Ok(Run {
        per_second,
        cpu: cpu / requests * 1e6,
    })
}

/// Requests that were judged and spooled so far.
async fn appended(api: &Node) -> Result<f64, Failure> {
    let metrics = api.about_itself("/metrics").await.text;
    let name = "tollkeeper_usage_spool_appended_total ";
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.map_or(Ok(0.0), |value| value.trim().parse())?)
}

/// What Envoy asks: `envoy.service.auth.v3.CheckRequest` with a GET of `/orders/17?page=2`.
fn check_request(token: &str) -> Vec<u8> {
    let header = |name: &str, value: &str| field(3, [field(1, name), field(2, value)].concat());
    let socket = [field(2, "203.0.113.9"), vec![0x18, 80]].concat();
    let http = [
        field(2, "GET"),
        header(":authority", "shop.example"),
        header("authorization", &format!("Bearer {token}")),
        header("user-agent", "bench/1.0"),
        field(4, "/orders/17?page=2"),
        field(5, "shop.example"),
        field(10, "HTTP/1.1"),
    ];
    let attributes = [
        field(1, field(1, field(1, socket))),
        field(4, field(2, http.concat())),
        field(10, [field(1, "scope"), field(2, "orders:read")].concat()),
    ];
    field(1, attributes.concat())
}

/// A length-delimited field of protocol buffers; none of ours is longer than 16,383 bytes.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut written = vec![number << 3 | 2];
    let length = content.len();
    if length < 0x80 {
        written.push(length.to_le_bytes()[0]);
    } else {
        written.push((length & 0x7f | 0x80).to_le_bytes()[0]);
        written.push((length >> 7).to_le_bytes()[0]);
    }
    written.extend_from_slice(content);
    written
}

/// A message as gRPC frames it: not compressed, its length, itself.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[0], &length[..], message].concat()
}
