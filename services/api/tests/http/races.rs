//! Requests that arrive at the same time.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tollkeeper_testkit::Stack;

use crate::support::{path_of, problem, with_header};

#[tokio::test]
async fn changes_at_once_are_all_made_or_refused_by_what_was_seen() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let account = here.account("crm-1").await;
    let path = path_of(&here.issue(&account, json!({})).await);

    // Few enough that each finds its turn among the attempts.
    let changes = (0..6).map(|number| {
        let operator = if number % 2 == 0 { &here } else { &there };
        operator.patch(&path, json!({ "name": format!("name {number}") }))
    });
    let versions: BTreeSet<u64> = join_all(changes)
        .await
        .iter()
        .map(|answer| answer.expect(200)["version"].as_u64().unwrap())
        .collect();
    assert_eq!(here.get(&path).await.expect(200)["version"], 7);
    assert_eq!(versions.last(), Some(&7));

    let changes = (0..6).map(|number| {
        let operator = if number % 2 == 0 { &here } else { &there };
        let change = Some(json!({ "name": format!("other {number}") }));
        let seen = ("if-match", "\"7\"");
        with_header(operator, Method::PATCH, &path, seen, change)
    });
    let answers = join_all(changes).await;
    let (made, late): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
    assert_eq!(made.len(), 1, "one has seen what is");
    for answer in late {
        problem(answer, 412, "VERSION_MISMATCH");
    }
    assert_eq!(here.get(&path).await.expect(200)["version"], 8);
}

#[tokio::test]
async fn one_external_id_goes_to_one_account() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let registers = (0..6).map(|number| {
        let operator = if number % 2 == 0 { &here } else { &there };
        operator.post("/v1/accounts", json!({ "external_id": "crm-1" }))
    });
    let answers = join_all(registers).await;
    let (made, late): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert_eq!(made.len(), 1);
    for answer in late {
        problem(answer, 409, "EXTERNAL_ID_TAKEN");
    }
    let listed = here.get("/v1/accounts").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
