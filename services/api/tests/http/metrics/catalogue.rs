//! What is shown is what the catalogue lists, from the start and whatever is asked.

use std::io::Write;
use std::process::{Command, Stdio};

use reqwest::Method;
use tollkeeper_telemetry::{Metric, Service, catalogue};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

use super::scrape::{Scrape, expected};
use crate::support::{forward_auth, unissued, verify};

/// Counts that a process has by the time it is ready.
const BEGUN: [&str; 3] = [
    // It has proven its memory.
    "tollkeeper_verification_head_reads_total",
    // It has told other nodes that it is there.
    "tollkeeper_rate_limit_messages_total",
    // On a busy machine a first look may come before the servers answer.
    "tollkeeper_usage_watch_failures_total",
];

#[tokio::test]
async fn each_program_shows_the_metrics_that_are_its_own_from_the_start_and_no_others() {
    let mut stack = Stack::bare().await;
    let (api, ingestor) = (stack.api(&[]).await, stack.ingestor(&[]).await);
    for (node, service) in [(&api, Service::Api), (&ingestor, Service::Ingestor)] {
        let shown = Scrape::of(node).await;
        let expected = expected(service);
        let expected = expected.iter().map(String::as_str).collect();
        let missing: Vec<_> = shown
            .keys()
            .symmetric_difference(&expected)
            .copied()
            .collect();
        assert!(missing.is_empty(), "{service:?}: {missing:#?}");

        for metric in catalogue::of(service) {
            let name = metric.name();
            match metric {
                Metric::Counter(_) if !BEGUN.contains(&name) => {
                    assert_eq!(shown.sum(name), 0.0, "{name}");
                }
                Metric::Durations(_) | Metric::Histogram(_) => {
                    assert_eq!(shown.sum(&format!("{name}_count")), 0.0, "{name}");
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn what_is_asked_makes_no_time_series() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let before = Scrape::of(&api).await;
    let (nobody, operator) = (api.nobody(), api.operator());
    let brew = Method::from_bytes(b"BREW").unwrap();
    for number in 0..300 {
        nobody.get(&format!("/{number}")).await.expect(404);
        nobody.get(&format!("/v1/tokens/{number}/{number}")).await;
        operator.get(&format!("/v1/tokens/{number}")).await;
        nobody.get(&format!("/v1/forward-auth/{number}")).await;
    }
    for method in [Method::PUT, Method::TRACE, brew] {
        Person::send(nobody.request(method, "/v1/tokens"))
            .await
            .expect(405);
    }
    forward_auth(&api, &unissued(), "").await;
    verify(&operator, "x").await;
    let after = Scrape::of(&api).await;
    assert_eq!(before.keys(), after.keys());
    let other = [("method", "other"), ("route", "other"), ("status", "4xx")];
    let answered = after.value("tollkeeper_http_requests_total", &other);
    assert_eq!(answered, 603.0);
}

#[tokio::test]
async fn promtool_has_no_complaint() {
    let mut stack = Stack::bare().await;
    let (api, ingestor) = (stack.api(&[]).await, stack.ingestor(&[]).await);
    for node in [&api, &ingestor] {
        let complaints = complaints(node).await;
        assert!(complaints.is_empty(), "{complaints}");
    }
}

/// What Prometheus' own tool says to what a program shows.
async fn complaints(node: &Node) -> String {
    let shown = node.about_itself("/metrics").await.text;
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("promtool, of the package prometheus");
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(shown.as_bytes()).unwrap();
    drop(input);
    let said = promtool.wait_with_output().unwrap();
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(said.status.success(), text.is_empty(), "{text}");
    text
}
