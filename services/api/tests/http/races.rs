//! Requests that arrive at the same time.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tollkeeper_read_model::rebuild;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};

use crate::support::{path_of, problem, text, with_header};

#[tokio::test]
async fn changes_at_once_are_all_made_or_refused_by_what_was_seen() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let account = here.account("crm-1").await;
    let path = path_of(&here.issue(&account, json!({})).await);

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

/// One of the changes that a token can have, of each kind in turn, with what was seen or without.
async fn change(operator: &Person, path: &str, number: usize, seen: Option<&str>) -> Answer {
    let (method, path, body) = match number % 5 {
        0 => (
            Method::PATCH,
            path.to_owned(),
            json!({ "name": format!("name {number}") }),
        ),
        1 => (Method::POST, format!("{path}/suspend"), json!({})),
        2 => (Method::POST, format!("{path}/resume"), json!({})),
        3 => (
            Method::POST,
            format!("{path}/rotate"),
            json!({ "grace_seconds": 60 }),
        ),
        _ => (
            Method::PATCH,
            path.to_owned(),
            json!({ "metadata": { "number": number } }),
        ),
    };
    match seen {
        Some(seen) => with_header(operator, method, &path, ("if-match", seen), Some(body)).await,
        None => Person::send(operator.request(method, &path).json(&body)).await,
    }
}

/// The versions of a token in the log, in order.
async fn history(stack: &Stack, token: &str) -> Vec<i64> {
    let id: uuid::Uuid = token.parse().unwrap();
    sqlx::query_scalar("select stream_version from events where stream_id = $1 order by position")
        .bind(id)
        .fetch_all(&stack.database.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn fifty_changes_at_once_end_in_one_consistent_history() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let account = here.account("crm-1").await;
    let token = here.issue(&account, json!({})).await;
    let (path, id) = (path_of(&token), text(&token, "id"));
    let node = |number: usize| {
        if number.is_multiple_of(2) {
            &here
        } else {
            &there
        }
    };

    // Nobody has seen anything, some have seen the first version, and somebody ends it all.
    let changes = (0..50).map(|number| {
        let (path, operator) = (&path, node(number));
        async move {
            match number {
                40 => operator.delete(path).await,
                _ if number % 3 == 0 => change(operator, path, number, Some("\"1\"")).await,
                _ => change(operator, path, number, None).await,
            }
        }
    });
    let answers = join_all(changes).await;
    let statuses: BTreeSet<u16> = answers.iter().map(|it| it.status).collect();
    assert!(statuses.is_subset(&[200, 409, 412].into()), "{statuses:?}");
    for answer in &answers {
        match answer.status {
            409 => problem(answer, 409, "TOKEN_REVOKED"),
            412 => problem(answer, 412, "VERSION_MISMATCH"),
            _ => answer.expect(200),
        };
    }
    let revoked = &answers[40];
    assert_eq!(revoked.expect(200)["state"], "revoked");
    let first = answers.iter().enumerate().filter(|(number, answer)| {
        number % 3 == 0 && *number != 40 && answer.status == 200 && answer.json()["version"] == 2
    });
    assert!(first.count() <= 1, "one has seen what is");

    let versions = history(&stack, id).await;
    let contiguous: Vec<i64> = (1..).take(versions.len()).collect();
    assert_eq!(versions, contiguous);
    let last = here.get(&path).await.expect(200);
    assert_eq!(last["version"], *versions.last().unwrap());
    assert_eq!(last["state"], "revoked");
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        let version = answer.json()["version"].as_i64().unwrap();
        assert!(versions.contains(&version), "an answer of no version");
    }
    let mut connection = stack.database.pool.acquire().await.unwrap();
    let report = rebuild::verify(&mut connection).await.unwrap();
    assert_eq!(report.differing(), 0, "{report:?}");
}

#[tokio::test]
async fn fifty_changes_at_once_that_nothing_forbids_are_all_made() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let account = here.account("crm-1").await;
    let token = here.issue(&account, json!({})).await;
    let path = path_of(&token);
    let renames = (0..50).map(|number| {
        let operator = if number % 2 == 0 { &here } else { &there };
        operator.patch(&path, json!({ "name": format!("name {number}") }))
    });
    let answers = join_all(renames).await;
    let mut versions = BTreeSet::new();
    for answer in &answers {
        if answer.status == 200 {
            versions.insert(answer.json()["version"].as_i64().unwrap());
        } else {
            problem(answer, 409, "BUSY");
            assert!(answer.header("retry-after").is_some());
        }
    }
    let made: Vec<i64> = versions.into_iter().collect();
    assert_eq!(
        history(&stack, text(&token, "id")).await[1..],
        made,
        "each answer of its own version"
    );
    assert!(
        made.len() >= 25,
        "hardly anybody is turned away: {}",
        made.len()
    );
}
