//! Who is let through: 400, 401 and 403.

use serde_json::json;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::list::SCOPES;
use super::{OPERATIONS, SETTINGS, World};
use crate::jwt;
use crate::rate_limits::daily;
use crate::support::{challenged, limit_token, problem, system_account, text, unissued};

#[tokio::test]
async fn nobody_is_let_through_without_a_credential_that_works() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let world = World::new(&api.operator()).await;
    let unissued = unissued();
    for operation in OPERATIONS {
        let name = operation.name();
        let answer = Person::send(world.request(&api.nobody(), operation)).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text);
        problem(&answer, 401, "UNAUTHENTICATED");
        challenged(&answer, None);
        let answer = Person::send(world.request(&api.bearer(&unissued), operation)).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text);
        problem(&answer, 401, "NOT_FOUND");
        challenged(&answer, Some("invalid_token"));
        let two = world.request(&api.operator(), operation);
        let two = two.header("authorization", format!("Bearer {unissued}"));
        let answer = Person::send(two).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
        problem(&answer, 400, "TWO_CREDENTIALS");
    }
}

#[tokio::test]
async fn all_other_scopes_together_are_not_the_one_that_is_needed() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let world = World::new(&operator).await;
    let system = system_account(&operator).await;
    for needed in SCOPES {
        let others = SCOPES.into_iter().filter(|scope| *scope != needed);
        let others: Vec<&str> = others.chain(["*"]).collect();
        let token = operator.issue(&system, json!({ "scopes": others })).await;
        let person = api.bearer(text(&token, "token"));
        let those = OPERATIONS.iter().filter(|it| it.scopes().contains(&needed));
        for operation in those {
            let answer = Person::send(world.request(&person, operation)).await;
            assert_eq!(answer.status, 403, "{}: {}", operation.name(), answer.text);
            let body = problem(&answer, 403, "INSUFFICIENT_SCOPE");
            assert!(text(&body, "detail").contains(needed), "{body}");
            challenged(&answer, Some("insufficient_scope"));
            let challenge = answer.header("www-authenticate").unwrap();
            let named = format!("scope=\"{needed}\"");
            assert!(challenge.contains(&named), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_networks_does_nothing_from_elsewhere() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let world = World::new(&operator).await;
    let system = system_account(&operator).await;
    let fields = json!({ "scopes": SCOPES, "allowed_cidrs": ["203.0.113.0/24"] });
    let token = operator.issue(&system, fields).await;
    let person = api.bearer(text(&token, "token"));
    for operation in OPERATIONS {
        let answer = Person::send(world.request(&person, operation)).await;
        assert_eq!(answer.status, 403, "{}: {}", operation.name(), answer.text);
        problem(&answer, 403, "IP_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn a_token_that_is_used_up_does_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let world = World::new(&operator).await;
    let system = system_account(&operator).await;
    let token = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    limit_token(&operator, &token, json!([daily("once", 1)])).await;
    let person = api.bearer(text(&token, "token"));
    person.get("/v1/whoami").await.expect(200);
    for operation in OPERATIONS {
        let answer = Person::send(world.request(&person, operation)).await;
        assert_eq!(answer.status, 429, "{}: {}", operation.name(), answer.text);
        problem(&answer, 429, "RATE_LIMITED");
        let after = answer.header("retry-after").unwrap();
        assert!(after.parse::<u32>().unwrap() > 0);
        let state = format!("\"once\";r=0;t={after}");
        assert_eq!(answer.header("ratelimit"), Some(&*state));
    }
}

#[tokio::test]
async fn each_request_is_charged_once() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    operator.account("somebody known").await;
    let system = system_account(&operator).await;
    let token = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    limit_token(&operator, &token, json!([daily("day", 10_000)])).await;
    let secret = text(&token, "token");
    let person = api.bearer(secret);
    for (number, operation) in OPERATIONS.iter().enumerate() {
        let world = World::new(&operator).await;
        Person::send(world.request(&person, operation)).await;
        let look = json!({ "token": secret, "cost": 0 });
        let told = operator.post("/v1/verify", look).await.expect(200);
        let left = &told["rate_limits"][0]["remaining"];
        assert_eq!(*left, 9_999 - number, "{}", operation.name());
    }
}

#[tokio::test]
async fn its_scope_alone_is_enough_for_each() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    operator.account("somebody known").await;
    let system = system_account(&operator).await;
    for operation in OPERATIONS {
        let scopes = json!({ "scopes": operation.scopes() });
        let token = operator.issue(&system, scopes).await;
        let person = api.bearer(text(&token, "token"));
        let world = if operation.path.starts_with("/settings/") {
            World::of(&operator, &system).await
        } else {
            World::new(&operator).await
        };
        let answer = Person::send(world.request(&person, operation)).await;
        let (name, text) = (operation.name(), &answer.text);
        assert_eq!(answer.status, operation.success, "{name}: {text}");
    }
}

#[tokio::test]
async fn holders_of_a_suspended_account_are_told_so() {
    let mut stack = Stack::bare().await;
    let settings = [&SETTINGS[..], &jwt::SETTINGS].concat();
    let api = stack.api(&settings).await;
    let operator = api.operator();
    let holder = api.bearer(&jwt::of("user-1"));
    let first = holder.post("/v1/tokens", json!({ "name": "first" })).await;
    let account = text(&first.expect(201), "account_id").to_owned();
    let world = World::of(&operator, &account).await;
    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    for operation in OPERATIONS {
        let answer = Person::send(world.request(&holder, operation)).await;
        let name = operation.name();
        assert_eq!(answer.status, 403, "{name}: {}", answer.text);
        problem(&answer, 403, "ACCOUNT_SUSPENDED");
    }
}
