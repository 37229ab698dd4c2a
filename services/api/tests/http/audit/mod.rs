//! The audit log: what is noted down, what is summed up, and what is told of it to whom.

mod acts;
mod faults;
mod pages;
mod refusals;
mod retention;

use serde_json::Value;
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::wait_for;

use crate::support::text;

/// The lines that this question leads to.
async fn lines(person: &Person, query: &str) -> Vec<Value> {
    let page = person.get(&format!("/v1/audit?limit=200{query}")).await;
    let page = page.expect(200);
    assert!(page["next_cursor"].is_null(), "there is more: {page}");
    page["items"].as_array().unwrap().clone()
}

/// Waits until so many attempts are written down, and gives their lines.
async fn refused(person: &Person, query: &str, attempts: i64) -> Vec<Value> {
    let query = format!("&outcome=refused{query}");
    wait_for(
        &format!("{attempts} refused attempts of {query}"),
        async || count(&lines(person, &query).await) >= attempts,
    )
    .await;
    let lines = lines(person, &query).await;
    assert_eq!(count(&lines), attempts, "{lines:#?}");
    lines
}

fn count(lines: &[Value]) -> i64 {
    lines
        .iter()
        .map(|line| line["count"].as_i64().unwrap())
        .sum()
}

/// What was done by the name of what it is called, as often as it was.
fn actions(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| text(line, "action")).collect()
}

/// A request that nobody may make, from somewhere behind a proxy.
async fn knock(api: &Node, address: &str) -> Answer {
    let request = api.nobody().request(reqwest::Method::GET, "/v1/tokens");
    Person::send(request.header("x-forwarded-for", address)).await
}
