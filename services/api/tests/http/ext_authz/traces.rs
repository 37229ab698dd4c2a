//! The trace of a question over gRPC.

use serde_json::json;
use tollkeeper_testkit::{Stack, TraceReceiver};

use super::wire::CHECK;
use super::{api, asked, bearer};
use crate::support::{text, unissued};

/// A trace that Envoy has begun, and its span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The kind of a span that answers, as OTLP numbers it.
const SERVER: i32 = 2;

#[tokio::test]
async fn a_question_is_a_span_of_the_trace_that_envoy_has_begun() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let settings = [
        ("TOLLKEEPER_OTLP_ENDPOINT", endpoint.as_str()),
        ("TOLLKEEPER_TRACE_RATIO", "0"),
    ];
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &settings).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let authorization = format!("Bearer {}", text(&token, "token"));
    let unknown = format!("Bearer {}", unissued());
    let (sampled, not) = (
        format!("00-{TRACE}-{PARENT}-01"),
        format!("00-{TRACE}-{PARENT}-00"),
    );
    // One that passes and one that does not; the others are recorded by nobody.
    for (authorization, parent, passes) in [
        (&authorization, &sampled, true),
        (&unknown, &sampled, false),
        (&authorization, &not, true),
    ] {
        let headers = [
            ("authorization", authorization.as_str()),
            ("traceparent", parent.as_str()),
        ];
        assert_eq!(asked(grpc, &headers, &[]).await.passes, passes);
    }
    assert!(bearer(grpc, text(&token, "token"), &[]).await.passes);

    let calls = || {
        let spans = receiver.spans().into_iter();
        let calls = spans.filter(|it| it.span.name == CHECK[1..]);
        calls.collect::<Vec<_>>()
    };
    receiver
        .span("the second call", |_| calls().len() == 2)
        .await;
    for call in calls() {
        assert_eq!(
            (call.trace().as_str(), call.parent().as_str()),
            (TRACE, PARENT)
        );
        assert_eq!(
            (call.service.as_str(), call.span.kind),
            ("tollkeeper-api", SERVER)
        );
        let told = |name: &str| call.attribute(name);
        assert_eq!(told("rpc.system").as_deref(), Some("grpc"));
        assert_eq!(told("rpc.grpc.status_code").as_deref(), Some("0"));
    }
}
