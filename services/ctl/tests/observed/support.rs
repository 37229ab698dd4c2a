//! What the subjects share.

use async_nats::HeaderMap;
use async_nats::jetstream;
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for_some};

/// The id of a trace that somebody has begun, and of their span.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const SPAN: &str = "00f067aa0ba902b7";

/// The header that tells of them.
pub(crate) fn parent(sampled: bool) -> String {
    format!("00-{TRACE}-{SPAN}-0{}", u8::from(sampled))
}

/// Settings of a log for machines that leaves nothing out.
pub(crate) const LOUD: [(&str, &str); 2] = [
    ("TOLLKEEPER_LOG", "debug"),
    ("TOLLKEEPER_LOG_FORMAT", "json"),
];

pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    let found = value[member].as_str();
    found.unwrap_or_else(|| panic!("no {member}: {value}"))
}

/// Posts with these headers.
pub(crate) async fn post(
    person: &Person,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> Answer {
    let request = person.request(Method::POST, path).json(&body);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    Person::send(request).await
}

/// Asks as a reverse proxy does, with these headers.
pub(crate) async fn forward_auth(node: &Node, token: &str, headers: &[(&str, &str)]) -> Answer {
    let request = node
        .bearer(token)
        .request(Method::GET, "/v1/forward-auth/orders/7");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    Person::send(request).await
}

/// A token of a new account.
pub(crate) async fn issued(operator: &Person) -> Value {
    let account = operator.account("crm-1").await;
    operator.issue(&account, json!({})).await
}

/// The headers of the message that tells of this event, once it is on the stream.
pub(crate) async fn lifecycle(stack: &Stack, kind: &str) -> HeaderMap {
    let broker = jetstream::new(stack.nats.client().await);
    let stream = broker.get_stream("LIFECYCLE").await.unwrap();
    let subject = format!("lifecycle.{kind}");
    let message = wait_for_some(&subject, async || {
        stream.get_last_raw_message_by_subject(&subject).await.ok()
    });
    message.await.headers
}

/// The value of a header of a message.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(ToString::to_string)
}

/// The lines that a program has logged for machines.
pub(crate) fn lines(node: &Node) -> Vec<Value> {
    let text = node.log_text();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Waits for a line of a program's log.
pub(crate) async fn line(node: &Node, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for_some(what, async || lines(node).into_iter().find(|it| wanted(it))).await
}

/// All that headers of a message say.
pub(crate) fn header_values(headers: &HeaderMap) -> Vec<u8> {
    format!("{headers:?}").into_bytes()
}
