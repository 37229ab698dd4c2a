//! What is asked of the audit log, and told of it.

use std::collections::HashSet;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::{actions, knock, lines, refused};
use crate::support::{manager, now, path_of, problem, system_account, text};
use crate::webhooks;

/// Every page from the newest line on, with something that happens before each.
pub(super) async fn walk(
    person: &Person,
    query: &str,
    mut meanwhile: impl AsyncFnMut(usize),
) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        meanwhile(page).await;
        let path = format!("/v1/audit?{query}{cursor}");
        let answer = person.get(&path).await.expect(200);
        all.extend(answer["items"].as_array().unwrap().clone());
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    all
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_a_line_while_others_come() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&webhooks::SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    for number in 0..4 {
        operator.issue(&account, json!({})).await;
        let body = json!({ "account_id": account, "url": "https://hooks.example.com/" });
        operator.post("/v1/webhooks", body).await.expect(201);
        knock(&api, &format!("10.0.{number}.1")).await.expect(401);
        refused(&operator, "", i64::from(number) + 1).await;
    }
    let before = lines(&operator, "").await;
    assert_eq!(before.len(), 1 + 3 * 4);
    let order: Vec<&str> = before.iter().map(|it| text(it, "at")).collect();
    assert!(
        order.is_sorted_by(|newer, older| newer >= older),
        "{order:?}"
    );
    // Lines of one minute's attempts go on being counted, which moves none of them.
    let place = |line: &Value| {
        let parts = ["at", "action", "subject_id", "network", "position"];
        parts.map(|part| line[part].to_string())
    };
    let busy = async |_| {
        operator.issue(&account, json!({})).await;
        knock(&api, "10.0.0.1").await.expect(401);
    };
    let walked = walk(&operator, "limit=3", busy).await;
    let walked: Vec<_> = walked.iter().map(place).collect();
    let unique: HashSet<_> = walked.iter().collect();
    assert_eq!(unique.len(), walked.len(), "a line is told twice");
    let first = walked.iter().position(|it| *it == place(&before[0]));
    let known: Vec<_> = before.iter().map(place).collect();
    assert_eq!(walked[first.unwrap()..], known);
}

#[tokio::test]
async fn filters_choose_what_is_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&webhooks::SETTINGS).await;
    let operator = api.operator();
    let (one, other) = (
        operator.account("one").await,
        operator.account("other").await,
    );
    let token = manager(&operator, &one, &[]).await;
    let person = api.bearer(text(&token, "token"));
    let body = json!({ "account_id": other, "url": "https://hooks.example.com/" });
    let webhook = operator.post("/v1/webhooks", body).await.expect(201);
    let made = person.post("/v1/tokens", json!({ "name": "child" })).await;
    let child = made.expect(201);
    person.delete(&path_of(&child)).await.expect(200);
    person.get("/v1/usage").await.expect(403);
    person
        .delete(&format!("/v1/webhooks/{}", text(&webhook, "id")))
        .await
        .expect(403);
    refused(&operator, "", 2).await;

    let told = async |query: String| {
        let found = lines(&operator, &query).await;
        let found: Vec<String> = actions(&found).into_iter().map(str::to_owned).collect();
        found
    };
    let actor = format!("&actor=token:{}", text(&token, "id"));
    let of_person = told(actor.clone()).await;
    let denied = ["DELETE /v1/webhooks/{id}", "GET /v1/usage"];
    assert_eq!(of_person[..2], denied);
    assert_eq!(of_person[2..], ["TokenRevoked", "TokenIssued"]);
    assert_eq!(
        told(format!("{actor}&outcome=allowed")).await,
        of_person[2..]
    );
    assert_eq!(told(format!("{actor}&outcome=refused")).await, denied);
    assert_eq!(
        told("&action=TokenRevoked".to_owned()).await,
        ["TokenRevoked"]
    );
    assert_eq!(
        told("&action=WebhookCreated".to_owned()).await,
        ["WebhookCreated"]
    );
    assert_eq!(
        told("&action=GET%20/v1/usage".to_owned()).await,
        ["GET /v1/usage"]
    );
    let none = told("&action=TokenRevoked&outcome=refused".to_owned()).await;
    assert!(none.is_empty(), "{none:?}");
    let of_child = told(format!("&subject_id={}", text(&child, "id"))).await;
    assert_eq!(of_child, ["TokenRevoked", "TokenIssued"]);
    let of_webhook = told(format!("&subject_id={}", text(&webhook, "id"))).await;
    assert_eq!(of_webhook, ["DELETE /v1/webhooks/{id}", "WebhookCreated"]);
    assert_eq!(
        told(format!("&account_id={other}")).await,
        ["WebhookCreated", "AccountRegistered"]
    );

    // Before and from the moment of a line on.
    let all = lines(&operator, "").await;
    for line in &all {
        let at = text(line, "at");
        let (since, until) = (
            told(format!("&since={at}")).await,
            told(format!("&until={at}")).await,
        );
        assert_eq!(since.len() + until.len(), all.len(), "{at}");
        assert!(!since.is_empty());
    }
}

#[tokio::test]
async fn an_account_is_told_of_its_own_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&webhooks::SETTINGS).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let token = manager(&operator, &own, &["tollkeeper:events.read"]).await;
    let person = api.bearer(text(&token, "token"));
    let theirs = operator.issue(&other, json!({})).await;
    let body = json!({ "account_id": other, "url": "https://hooks.example.com/" });
    operator.post("/v1/webhooks", body).await.expect(201);
    let everybodys = json!({ "url": "https://hooks.example.com/" });
    operator.post("/v1/webhooks", everybodys).await.expect(201);
    api.bearer(text(&theirs, "token"))
        .get("/v1/tokens")
        .await
        .expect(403);
    knock(&api, "203.0.113.1").await.expect(401);
    refused(&operator, "", 2).await;

    let told = lines(&person, "").await;
    assert_eq!(actions(&told), ["TokenIssued", "AccountRegistered"]);
    assert!(told.iter().all(|line| line["account_id"] == own.as_str()));
    for query in [
        format!("&account_id={other}"),
        format!("&subject_id={}", text(&theirs, "id")),
        format!("&actor=token:{}", text(&theirs, "id")),
        "&outcome=refused".to_owned(),
    ] {
        let told = lines(&person, &query).await;
        assert!(told.is_empty(), "{query}: {told:#?}");
    }
    let system = system_account(&operator).await;
    let across = operator
        .issue(&system, json!({ "scopes": ["tollkeeper:events.read"] }))
        .await;
    let across = api.bearer(text(&across, "token"));
    assert_eq!(lines(&across, "").await, lines(&operator, "").await);
}

#[tokio::test]
async fn what_cannot_be_asked_of_the_audit_log_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    for (query, named) in [
        ("action=TokenStolen", "`action`"),
        ("action=GET%20/v1/forward-auth", "`action`"),
        ("outcome=perhaps", "outcome"),
        ("subject_id=x", "subject_id"),
        ("since=yesterday", "since"),
        ("since=0001-01-01T00:00:00Z", "`since`"),
        (
            "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z",
            "`since`",
        ),
        ("limit=0", "`limit`"),
        ("limit=201", "`limit`"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "`cursor`"),
        ("format=xml", "format"),
        ("actor=%00", "actor"),
    ] {
        let answer = operator.get(&format!("/v1/audit?{query}")).await;
        let body = problem(&answer, 400, "INVALID_QUERY");
        assert!(text(&body, "detail").contains(named), "{query}: {body}");
    }
}

#[tokio::test]
async fn the_audit_log_is_told_as_a_table_that_says_where_it_goes_on() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    for _ in 0..3 {
        operator.issue(&account, json!({})).await;
    }
    let until = now() + TimeDelta::seconds(1);
    let until = until.to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut next = format!("/v1/audit?format=csv&action=TokenIssued&limit=2&until={until}");
    let mut told = Vec::new();
    loop {
        let answer = operator.get(&next).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("text/csv"), "{kind}");
        let saved = answer.header("content-disposition");
        assert_eq!(saved, Some("attachment; filename=\"audit.csv\""));
        let mut lines = answer.text.split("\r\n");
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("at,last_at,outcome,action,actor,")
        );
        let lines = lines.filter(|line| !line.is_empty());
        told.extend(lines.map(str::to_owned));
        let Some(link) = answer.header("link") else {
            break;
        };
        let (path, rest) = link[1..].split_once('>').unwrap();
        assert_eq!(rest, "; rel=\"next\"");
        next = path.to_owned();
    }
    assert_eq!(told.len(), 3, "{told:#?}");
    for line in &told {
        assert!(
            line.contains(",allowed,TokenIssued,operator:test,"),
            "{line}"
        );
    }
}
