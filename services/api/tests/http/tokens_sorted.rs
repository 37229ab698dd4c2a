//! `GET /v1/tokens` sorted, and what was not used.

use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

use crate::support::{in_seconds, manager, path_of, text};
use crate::tokens_list::{names, names_of, names_parameter};

/// Each order, and what it makes of the tokens of [`five`].
const ORDERS: [(&str, [&str; 5]); 8] = [
    ("-created_at", ["beta 2", "Beta", "gamma", "alpha", "beta"]),
    ("created_at", ["beta", "alpha", "gamma", "Beta", "beta 2"]),
    ("name", ["alpha", "beta", "Beta", "beta 2", "gamma"]),
    ("-name", ["gamma", "beta 2", "Beta", "beta", "alpha"]),
    ("expires_at", ["gamma", "beta", "alpha", "Beta", "beta 2"]),
    ("-expires_at", ["alpha", "beta", "gamma", "beta 2", "Beta"]),
    ("last_used_at", ["Beta", "beta", "gamma", "alpha", "beta 2"]),
    (
        "-last_used_at",
        ["gamma", "beta", "Beta", "beta 2", "alpha"],
    ),
];

/// A server on which tokens may be for ever.
async fn server(stack: &mut Stack) -> Node {
    stack
        .api(&[("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "0")])
        .await
}

/// Tokens that differ in all that they are sorted by: names, expiries, uses.
async fn five(operator: &Person, account: &str, pool: &PgPool) -> Vec<Value> {
    let mut tokens = Vec::new();
    for (name, expires, used) in [
        ("beta", Some(7200), Some("2099-03-01T10:20:00Z")),
        ("alpha", Some(10_800), None),
        ("gamma", Some(3600), Some("2099-03-01T10:40:00Z")),
        ("Beta", None, Some("2099-03-01T09:00:00Z")),
        ("beta 2", None, None),
    ] {
        let expires = expires.map(in_seconds);
        let body = json!({ "name": name, "expires_at": expires });
        let token = operator.issue(account, body).await;
        if let Some(at) = used {
            was_used(pool, text(&token, "id"), at).await;
        }
        tokens.push(token);
    }
    tokens
}

async fn was_used(pool: &PgPool, token: &str, at: &str) {
    let used = "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
        values ($1::uuid, 1, $2::timestamptz)";
    let used = sqlx::query(used).bind(token).bind(at);
    used.execute(pool).await.unwrap();
}

#[tokio::test]
async fn every_order_goes_through_all_pages_while_tokens_are_issued() {
    let mut stack = Stack::bare().await;
    let api = server(&mut stack).await;
    let operator = api.operator();
    for (number, (sort, expected)) in ORDERS.into_iter().enumerate() {
        let account = operator.account(&format!("crm-{number}")).await;
        five(&operator, &account, &stack.database.pool).await;
        let list = format!("/v1/tokens?account_id={account}&sort={sort}&limit=2");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for number in 0.. {
            let page = operator.get(&format!("{list}{cursor}")).await.expect(200);
            seen.extend(names_of(&page));
            // Some of these come before the place that was reached, and some behind it.
            let new = ["aaa", "beta 1", "zzz"].into_iter();
            for name in new.filter(|_| number < 2) {
                let expires = in_seconds(5000);
                let new = json!({ "name": format!("{name} new"), "expires_at": expires });
                operator.issue(&account, new).await;
            }
            match page.get("next_cursor") {
                Some(next) => cursor = format!("&cursor={}", next.as_str().unwrap()),
                None => break,
            }
        }
        let old: Vec<_> = seen.iter().filter(|name| !name.ends_with("new")).collect();
        assert_eq!(old, expected.iter().collect::<Vec<_>>(), "{sort}: {seen:?}");
    }
}

#[tokio::test]
async fn a_cursor_leads_on_in_its_own_order_alone() {
    let mut stack = Stack::bare().await;
    let api = server(&mut stack).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    five(&operator, &account, &stack.database.pool).await;
    for (sort, expected) in ORDERS {
        for limit in 1..5 {
            let list = format!("/v1/tokens?limit={limit}");
            let first = operator.get(&format!("{list}&sort={sort}")).await;
            let first = first.expect(200);
            let cursor = text(&first, "next_cursor");
            for (other, _) in ORDERS {
                let next = format!("{list}&sort={other}&cursor={cursor}");
                let answer = operator.get(&next).await;
                if other == sort {
                    let shown = names_of(&answer.expect(200));
                    let end = (2 * limit).min(5);
                    assert_eq!(shown, expected[limit..end], "{sort}");
                } else {
                    names_parameter(&answer, "cursor");
                    assert!(answer.text.contains(other), "{}", answer.text);
                }
            }
            if sort != "-created_at" {
                // As if no order had been asked for.
                let answer = operator.get(&format!("{list}&cursor={cursor}")).await;
                names_parameter(&answer, "cursor");
            }
        }
    }
    let newest = operator.get("/v1/tokens?limit=2").await.expect(200);
    let cursor = text(&newest, "next_cursor");
    let named = format!("/v1/tokens?limit=2&sort=-created_at&cursor={cursor}");
    let named = operator.get(&named).await.expect(200);
    assert_eq!(names_of(&named), ["gamma", "alpha"], "it is the same order");
}

#[tokio::test]
async fn a_page_goes_on_behind_a_token_that_is_no_more_what_it_was() {
    let mut stack = Stack::bare().await;
    let api = server(&mut stack).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let tokens = five(&operator, &account, &stack.database.pool).await;
    let list = "/v1/tokens?sort=name&limit=2";
    let first = operator.get(list).await.expect(200);
    assert_eq!(names_of(&first), ["alpha", "beta"]);
    let renamed = json!({ "name": "zeta" });
    operator
        .patch(&path_of(&tokens[0]), renamed)
        .await
        .expect(200);
    let cursor = text(&first, "next_cursor");
    let second = operator.get(&format!("{list}&cursor={cursor}")).await;
    assert_eq!(names_of(&second.expect(200)), ["Beta", "beta 2"]);
}

#[tokio::test]
async fn filters_hold_in_every_order_and_nobody_sees_anothers_tokens() {
    let mut stack = Stack::bare().await;
    let api = server(&mut stack).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let tokens = five(&operator, &account, &stack.database.pool).await;
    let other = operator.account("crm-2").await;
    let user = manager(&operator, &other, &[]).await;
    let user = api.bearer(text(&user, "token"));
    let suspend = format!("{}/suspend", path_of(&tokens[0]));
    operator.post(&suspend, json!({})).await.expect(200);
    for (sort, expected) in ORDERS {
        let kept = |names: &[&str]| {
            let kept = expected.iter().filter(|name| names.contains(name));
            kept.map(ToString::to_string).collect::<Vec<_>>()
        };
        let sorted = async |query: &str| names(&operator, &format!("{query}&sort={sort}")).await;
        assert_eq!(
            sorted("search=BETA&state=active").await,
            kept(&["Beta", "beta 2"]),
            "{sort}"
        );
        assert_eq!(sorted("state=suspended").await, kept(&["beta"]), "{sort}");
        let soon = in_seconds(9000);
        assert_eq!(
            sorted(&format!("expires_before={soon}")).await,
            kept(&["beta", "gamma"]),
            "{sort}"
        );
        assert_eq!(
            sorted("last_used_after=2099-03-01T10:30:00Z").await,
            kept(&["gamma"]),
            "{sort}"
        );
        assert_eq!(
            sorted(&format!("never_used=true&account_id={account}")).await,
            kept(&["alpha", "beta 2"]),
            "{sort}"
        );
        let foreign = format!("account_id={account}&sort={sort}");
        assert!(names(&user, &foreign).await.is_empty(), "{sort}");
        assert_eq!(names(&user, &format!("sort={sort}")).await, ["a token"]);
    }
}

#[tokio::test]
async fn what_was_never_used_and_what_was_not_used_for_long_are_found() {
    let mut stack = Stack::bare().await;
    let api = server(&mut stack).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let tokens = five(&operator, &account, &stack.database.pool).await;
    assert_eq!(
        names(&operator, "never_used=true").await,
        ["beta 2", "alpha"]
    );
    assert_eq!(
        names(&operator, "never_used=false").await,
        ["Beta", "gamma", "beta"]
    );
    // What was never used counts from when it was issued.
    let issued = text(&tokens[4], "created_at");
    let since = async |moment: &str| names(&operator, &format!("unused_since={moment}")).await;
    assert_eq!(since(issued).await, ["alpha"]);
    assert!(since(text(&tokens[1], "created_at")).await.is_empty());
    assert_eq!(
        since("2099-03-01T10:20:00Z").await,
        ["beta 2", "Beta", "alpha"],
        "used up to then, but not then"
    );

    let filter = json!({ "never_used": true, "unused_since": issued });
    let plan = json!({ "dry_run": true, "filter": filter });
    let plan = operator.post("/v1/tokens/bulk-revoke", plan).await;
    let plan = plan.expect(201);
    assert_eq!(plan["count"], 1);
    assert_eq!(plan["sample"][0]["name"], "alpha");
    let run = json!({ "dry_run": false, "plan_id": plan["id"], "filter": plan["filter"] });
    let run = operator.post("/v1/tokens/bulk-revoke", run).await;
    assert_eq!(run.expect(200)["revoked"], 1);
    assert_eq!(names(&operator, "state=revoked").await, ["alpha"]);
}
