//! The span that a request is judged in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::json;
use tollkeeper_testkit::wait_for;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use crate::support::{House, ask};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Fields by their names.
type Named = BTreeMap<&'static str, String>;

/// The fields of each span of a gate, in the order in which they began.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<(Id, Named)>>>);

impl Spans {
    fn note(&self, id: &Id, record: impl FnOnce(&mut Fields)) {
        let mut fields = Fields::default();
        record(&mut fields);
        let mut spans = self.0.lock().unwrap();
        // An id may be given again once its span is over.
        if let Some((_, known)) = spans.iter_mut().rev().find(|(known, _)| known == id) {
            known.extend(fields.0);
        }
    }

    fn fields(&self) -> Vec<Named> {
        let spans = self.0.lock().unwrap();
        spans.iter().map(|(_, fields)| fields.clone()).collect()
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "tollkeeper" {
            self.0.lock().unwrap().push((id.clone(), BTreeMap::new()));
            self.note(id, |fields| attributes.record(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.note(id, |fields| values.record(fields));
    }
}

#[derive(Debug, Default)]
struct Fields(Named);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_judged_in_a_span_that_tells_which_it_is_and_what_became_of_it() {
    let house = House::new().await;
    let gate = house.gate().await;
    let told = async |headers: HeaderMap| {
        let told = |name| {
            headers
                .get(name)
                .and_then(|it| it.to_str().ok())
                .unwrap_or("-")
        };
        format!(
            "{} {} {}",
            told("x-request-id"),
            told("traceparent"),
            told("tracestate")
        )
    };
    let app = Router::new().route("/", get(told)).layer(gate.layer());
    let token = house.issue(json!({})).await;
    let spans = Spans::default();
    let send = async |own_id: &str, parent: &str| {
        let mut request = token.request("/");
        let headers = request.headers_mut();
        headers.insert("x-request-id", own_id.parse().unwrap());
        headers.insert("traceparent", parent.parse().unwrap());
        headers.insert("tracestate", "a=1".parse().unwrap());
        let subscriber = Registry::default().with(spans.clone().with_filter(LevelFilter::INFO));
        let answer = ask(&app, request).with_subscriber(subscriber).await;
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1024)
            .await
            .unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let recorded = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let (status, seen) = send("order-17", &recorded).await;
    assert_eq!(status, 200);
    assert_eq!(seen, format!("order-17 {recorded} a=1"));
    // Neither a trace that nobody records nor one that is none is told of; nor is a token that stands where
    // an id should.
    send("order-18", &recorded.replace("-01", "-00")).await;
    send(&token.secret, "nonsense").await;
    let path = format!("/v1/tokens/{}", token.id);
    house.operator.delete(&path).await.expect(200);
    wait_for("it to be refused", async || {
        send("late", &recorded).await.0 == 401
    })
    .await;

    let seen = spans.fields();
    let expected = |id: &str, trace: Option<&str>, code: &str| {
        let id = Some(("request_id", id.to_owned()));
        let trace = trace.map(|trace| ("trace_id", trace.to_owned()));
        let code = Some(("code", code.to_owned()));
        [id, trace, code]
            .into_iter()
            .flatten()
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(seen[0], expected("order-17", Some(TRACE), "VALID"));
    assert_eq!(seen[1], expected("order-18", None, "VALID"));
    assert_eq!(seen[2], expected("[redacted]", None, "VALID"));
    assert_eq!(seen.last().unwrap()["code"], "REVOKED");
    assert!(!format!("{seen:?}").contains(&token.secret));
}
