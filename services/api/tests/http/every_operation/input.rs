//! What cannot be asked: 400, 404, 405, 412, 413, 415 and 422.

use std::collections::BTreeSet;

use serde_json::json;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::list::SCOPES;
use super::{NOTHING, OPERATIONS, QUOTA, SETTINGS, Takes, World, empty, request, with_body};
use crate::support::{problem, system_account, text};

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let token = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    let person = api.bearer(text(&token, "token"));
    for operation in OPERATIONS.iter().filter(|it| it.is_about_one()) {
        for id in [NOTHING, "nonsense", "1", "%00"] {
            let answer = Person::send(request(&person, operation, id)).await;
            let name = operation.name();
            assert_eq!(answer.status, 404, "{name} {id}: {}", answer.text);
            problem(&answer, 404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn what_is_another_accounts_is_not_found_either() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let theirs = World::new(&operator).await;
    let own = operator.account("own").await;
    let token = operator.issue(&own, json!({ "scopes": SCOPES })).await;
    let person = api.bearer(text(&token, "token"));
    for operation in OPERATIONS.iter().filter(|it| it.is_about_one()) {
        let answer = Person::send(theirs.request(&person, operation)).await;
        let name = operation.name();
        let is_for_all = matches!(
            name.as_str(),
            "DELETE /v1/accounts/{id}"
                | "POST /v1/accounts/{id}/suspend"
                | "POST /v1/accounts/{id}/resume"
                | "POST /v1/accounts/{id}/quotas/{name}/refill"
        );
        // These are nobody's to do within an account, their own one included.
        let (status, code) = if is_for_all {
            (403, "BEYOND_AUTHORITY")
        } else {
            (404, "NOT_FOUND")
        };
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        problem(&answer, status, code);
    }
}

#[tokio::test]
async fn queries_are_read_strictly() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let world = World::of(&operator, &system).await;
    let token = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    let person = api.bearer(text(&token, "token"));
    for operation in OPERATIONS.iter().filter(|it| it.query.is_some()) {
        for query in ["color=red", "a=%00"] {
            let id = world.id_for(operation);
            let asked = empty(&person, operation, id, query);
            let answer = Person::send(with_body(asked, operation)).await;
            let name = operation.name();
            assert_eq!(answer.status, 400, "{name}?{query}: {}", answer.text);
            problem(&answer, 400, "INVALID_QUERY");
        }
    }
}

#[tokio::test]
async fn a_change_heeds_the_version_that_was_seen() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let world = World::of(&operator, &system).await;
    let token = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    let person = api.bearer(text(&token, "token"));
    for operation in OPERATIONS.iter().filter(|it| it.versioned) {
        for (tag, status, code) in [
            ("1", 400, "INVALID_HEADER"),
            ("\"x\"", 400, "INVALID_HEADER"),
            ("\"99\"", 412, "VERSION_MISMATCH"),
        ] {
            let request = world.request(&person, operation).header("if-match", tag);
            let answer = Person::send(request).await;
            let name = operation.name();
            assert_eq!(answer.status, status, "{name} {tag}: {}", answer.text);
            problem(&answer, status, code);
        }
    }
    let path = format!("/v1/tokens/{}", world.token);
    let untouched = operator.get(&path).await.expect(200);
    assert_eq!(untouched["version"], 1);
}

#[tokio::test]
async fn bodies_are_json_of_one_form_and_size() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let world = World::of(&operator, &system).await;
    let token = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    let person = api.bearer(text(&token, "token"));
    for operation in OPERATIONS {
        if matches!(operation.takes, Takes::Nothing) {
            continue;
        }
        let large = json!({ "color": "x".repeat(operation.most) }).to_string();
        for (kind, body, status, code) in [
            ("text/plain", "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
            ("application/json", "{", 400, "MALFORMED_JSON"),
            ("application/json", "{\"color\":1}", 422, "INVALID_FIELDS"),
            ("application/json", "[]", 422, "INVALID_FIELDS"),
            ("application/json", &large, 413, "BODY_TOO_LARGE"),
        ] {
            let request = empty(&person, operation, world.id_for(operation), "");
            let request = request.header("content-type", kind).body(body.to_owned());
            let answer = Person::send(request).await;
            let name = operation.name();
            assert_eq!(answer.status, status, "{name} {body:.20}: {}", answer.text);
            problem(&answer, status, code);
        }
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_take_are_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let paths: BTreeSet<&str> = OPERATIONS.iter().map(|it| it.path).collect();
    for path in paths {
        let of_path = OPERATIONS.iter().filter(|it| it.path == path);
        let taken: Vec<&str> = of_path.map(|it| it.method).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if taken.contains(&method) {
                continue;
            }
            let path = path.replace("{id}", NOTHING).replace("{name}", QUOTA);
            let request = operator.request(method.parse().unwrap(), &path);
            let answer = Person::send(request).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            problem(&answer, 405, "METHOD_NOT_ALLOWED");
            let allowed = answer.header("allow").unwrap_or_default();
            let allowed: BTreeSet<&str> = allowed.split(',').map(str::trim).collect();
            for method in &taken {
                assert!(allowed.contains(method), "{path}: {allowed:?}");
            }
        }
    }
}
