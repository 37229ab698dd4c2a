//! The trace of usage: many requests, one batch, and what becomes of it.

use tollkeeper_testkit::{ReceivedSpan, Stack, TraceReceiver};

use crate::support::{SPAN, TRACE, forward_auth, issued, line, parent, text};

const ENDPOINT: &str = "TOLLKEEPER_OTLP_ENDPOINT";
const RATIO: &str = "TOLLKEEPER_TRACE_RATIO";

/// The kind of a span that takes a message in, as OTLP numbers it.
const CONSUMER: i32 = 5;

fn named(name: &'static str) -> impl Fn(&ReceivedSpan) -> bool {
    move |span| span.span.name == name
}

#[tokio::test]
async fn a_batch_links_to_the_requests_in_it_and_goes_on_in_the_ingestor() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let api = stack.api(&[(ENDPOINT, &endpoint), (RATIO, "0")]).await;
    let debug = ("TOLLKEEPER_LOG", "debug");
    let json = ("TOLLKEEPER_LOG_FORMAT", "json");
    let ingestor = stack.ingestor(&[(ENDPOINT, &endpoint), debug, json]).await;
    let token = issued(&api.operator()).await;
    let secret = text(&token, "token");

    // The first reads the token and the second finds it in memory; the others are not recorded.
    let (sampled, not) = (parent(true), parent(false));
    for header in [&sampled, &sampled, &not] {
        let headers = [("traceparent", header.as_str()), ("x-request-id", "r-1")];
        forward_auth(&api, secret, &headers).await.expect(200);
    }
    forward_auth(&api, secret, &[]).await.expect(200);

    let requests = || {
        let spans = receiver.spans().into_iter();
        spans
            .filter(named("GET /v1/forward-auth"))
            .collect::<Vec<_>>()
    };
    receiver
        .span("the second request", |_| requests().len() == 2)
        .await;
    for request in requests() {
        assert_eq!(
            (request.trace().as_str(), request.parent().as_str()),
            (TRACE, SPAN)
        );
        assert_eq!(
            request.attribute("url.path").as_deref(),
            Some("/v1/forward-auth")
        );
        assert_eq!(
            request.attribute("http.response.status_code").as_deref(),
            Some("200")
        );
        assert_eq!(
            request.attribute("tollkeeper.request_id").as_deref(),
            Some("r-1")
        );
        let link = (request.trace(), request.id());
        let publish = receiver
            .span("the span of its batch", |it| it.links().contains(&link))
            .await;
        assert_eq!(publish.span.name, "publish usage.{source}");
        assert_eq!(publish.parent(), "");
        let source = request.attribute("tollkeeper.usage.source");
        assert_eq!(publish.attribute("tollkeeper.usage.source"), source);
        let number =
            |of: &ReceivedSpan, name| -> u64 { of.attribute(name).unwrap().parse().unwrap() };
        let range =
            number(&publish, "tollkeeper.usage.first")..=number(&publish, "tollkeeper.usage.last");
        assert!(range.contains(&number(&request, "tollkeeper.usage.number")));

        let process = receiver
            .span("the ingestor's span", |it| it.parent() == publish.id())
            .await;
        assert_eq!(process.span.name, "process usage.{source}");
        assert_eq!(process.trace(), publish.trace());
        assert_eq!(process.service, "tollkeeper-ingestor");
        assert_eq!(process.span.kind, CONSUMER);
        let told = |it: &serde_json::Value| it["trace_id"] == publish.trace().as_str();
        line(&ingestor, "the line of its batch", told).await;
    }
    let metrics = api.about_itself("/metrics").await.text;
    assert!(metrics.contains("tollkeeper_trace_spans_dropped_total{reason=\"queue_full\"} 0"));
}

#[tokio::test]
async fn chance_decides_about_requests_that_come_without_a_trace() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let api = stack.api(&[(ENDPOINT, &endpoint), (RATIO, "1")]).await;
    let refused = forward_auth(&api, "tk_live_nothing", &[]).await;
    refused.expect(401);
    let span = receiver
        .span("the refusal", named("GET /v1/forward-auth"))
        .await;
    assert_eq!(span.parent(), "");
    assert_eq!(
        span.attribute("http.response.status_code").as_deref(),
        Some("401")
    );
    assert_eq!(span.attribute("tollkeeper.usage.source"), None);
    let id = span.attribute("tollkeeper.request_id");
    assert_eq!(id.as_deref(), refused.header("x-request-id"));
}
