//! A receiver of traces that does not receive.

use futures::future::join_all;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, TraceReceiver, wait_for};

use crate::support::{issued, text};

/// How many ask at once to fill the queue.
const AT_ONCE: usize = 100;

/// What a counter stands at.
async fn counter(node: &Node, series: &str) -> u64 {
    let metrics = node.about_itself("/metrics").await.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    let line = line.unwrap_or_else(|| panic!("no {series}"));
    line.trim().parse().unwrap()
}

const FAILED: &str = "tollkeeper_trace_spans_dropped_total{reason=\"export_failed\"}";
const FULL: &str = "tollkeeper_trace_spans_dropped_total{reason=\"queue_full\"}";
const EXPORTED: &str = "tollkeeper_trace_spans_exported_total ";

#[tokio::test]
async fn requests_go_on_while_the_receiver_refuses_or_hangs_and_what_is_lost_is_counted() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let settings = [
        ("TOLLKEEPER_OTLP_ENDPOINT", endpoint.as_str()),
        ("TOLLKEEPER_TRACE_RATIO", "1"),
    ];
    let mut api = stack.api(&settings).await;
    let token = issued(&api.operator()).await;
    let client = api.bearer(text(&token, "token"));
    let ask = async || client.get("/v1/forward-auth").await.expect(200);

    receiver.refuse();
    wait_for("spans that are refused", async || {
        ask().await;
        counter(&api, FAILED).await > 0
    })
    .await;
    assert!(
        api.log_text()
            .contains("traces do not reach their receiver")
    );

    receiver.hang();
    let before = receiver.bodies().len();
    wait_for("the receiver to hang", async || {
        ask().await;
        receiver.bodies().len() > before
    })
    .await;
    wait_for("the end of the queue", async || {
        join_all((0..AT_ONCE).map(|_| ask())).await;
        counter(&api, FULL).await > 0
    })
    .await;

    receiver.take_again();
    let before = counter(&api, EXPORTED).await;
    wait_for("spans to be taken again", async || {
        ask().await;
        counter(&api, EXPORTED).await > before
    })
    .await;

    // Nor does it keep the process from its end.
    receiver.hang();
    ask().await;
    assert!(api.stop().await.success());
}
