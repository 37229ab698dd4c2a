//! What is refused is told, and no more of it than may be.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::pages::walk;
use super::{count, knock, lines, refused};
use crate::jwt;
use crate::rate_limits::daily;
use crate::support::{
    forward_auth, limit_token, manager, path_of, system_account, text, unissued, verify,
};

#[tokio::test]
async fn whoever_is_refused_is_named_as_far_as_they_are_known() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&jwt::SETTINGS).await;
    let operator = api.operator();
    let own = operator.account("own").await;
    let other = operator.account("other").await;
    let reader = operator
        .issue(&own, json!({ "scopes": ["tollkeeper:tokens.read"] }))
        .await;
    let theirs = operator.issue(&other, json!({})).await;
    let person = api.bearer(text(&reader, "token"));
    let path = path_of(&theirs);

    // No scope for it, and another account's.
    let asked = person.request(Method::DELETE, &path);
    Person::send(asked.header("x-request-id", "the-first"))
        .await
        .expect(403);
    person.delete(&path).await.expect(403);
    person.get(&path).await.expect(404);
    // A route that is for operators alone, and a JWT.
    let holder = api.bearer(&jwt::of("user-1"));
    let made = holder.post("/v1/tokens", json!({ "name": "mine" })).await;
    let holders = text(&made.expect(201), "account_id").to_owned();
    holder.post("/v1/accounts", json!({})).await.expect(403);
    // A token that works no more, or not so often.
    let ended = operator.issue(&own, json!({})).await;
    operator.delete(&path_of(&ended)).await.expect(200);
    api.bearer(text(&ended, "token"))
        .get("/v1/whoami")
        .await
        .expect(401);
    let limited = manager(&operator, &own, &[]).await;
    limit_token(&operator, &limited, json!([daily("once", 1)])).await;
    let often = api.bearer(text(&limited, "token"));
    often.get("/v1/tokens").await.expect(200);
    for _ in 0..3 {
        often.get("/v1/tokens").await.expect(429);
    }
    // Nobody, and somebody with nothing that is known.
    knock(&api, "203.0.113.77").await.expect(401);
    api.bearer(&unissued()).get("/v1/usage").await.expect(401);

    let told = refused(&operator, "", 10).await;
    let actor = |token: &Value| format!("token:{}", text(token, "id"));
    let find = |action: &str, code: &str| {
        let mut found = told
            .iter()
            .filter(|it| it["action"] == action && it["code"] == code);
        let line = found.next().unwrap_or_else(|| panic!("no {action} {code}"));
        assert!(found.next().is_none(), "{action} {code} is told twice");
        line
    };
    let line = find("DELETE /v1/tokens/{id}", "INSUFFICIENT_SCOPE");
    assert_eq!((&line["count"], &line["status"]), (&json!(2), &json!(403)));
    assert_eq!(line["actor"], actor(&reader));
    assert_eq!(line["account_id"], own.as_str());
    assert_eq!(line["subject_id"], theirs["id"]);
    assert_eq!(line["request_id"], "the-first");
    assert_eq!(line["network"], "127.0.0.0/24");
    assert_eq!(
        find("GET /v1/tokens/{id}", "NOT_FOUND")["actor"],
        actor(&reader)
    );
    let line = find("POST /v1/accounts", "INSUFFICIENT_SCOPE");
    assert_eq!(line["actor"], format!("account:{holders}"));
    let line = find("GET /v1/whoami", "REVOKED");
    assert_eq!(
        (&line["actor"], &line["account_id"]),
        (&json!(actor(&ended)), &json!(own))
    );
    let line = find("GET /v1/tokens", "RATE_LIMITED");
    assert_eq!(
        (&line["actor"], &line["count"]),
        (&json!(actor(&limited)), &json!(3))
    );
    let line = find("GET /v1/tokens", "UNAUTHENTICATED");
    assert_eq!(
        (&line["actor"], &line["network"]),
        (&Value::Null, &json!("203.0.113.0/24"))
    );
    assert!(find("GET /v1/usage", "NOT_FOUND")["actor"].is_null());

    // Each account is told of its own.
    let own = manager(&operator, &own, &["tollkeeper:events.read"]).await;
    let own = api.bearer(text(&own, "token"));
    assert_eq!(count(&lines(&own, "&outcome=refused").await), 7);
    let none = lines(&holder, &format!("&outcome=refused&account_id={other}")).await;
    assert!(none.is_empty(), "{none:#?}");
    assert_eq!(count(&lines(&holder, "&outcome=refused").await), 1);
}

#[tokio::test]
async fn what_is_no_refused_management_is_not_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let everywhere = manager(&operator, &system, &[]).await;
    let everywhere = api.bearer(text(&everywhere, "token"));
    let nothing = "/v1/tokens/01890a5d-ac96-774b-bcce-b302099a8057";
    // Whoever acts across accounts asks for what is not there: that is nobody else's.
    operator.get(nothing).await.expect(404);
    everywhere.get(nothing).await.expect(404);
    // Bad input, unknown paths, and what gateways are told.
    operator.get("/v1/tokens?color=red").await.expect(400);
    api.nobody().get("/wp-admin").await.expect(404);
    assert_eq!(verify(&operator, &unissued()).await["code"], "NOT_FOUND");
    assert_eq!(forward_auth(&api, &unissued(), "").await.status, 401);

    knock(&api, "203.0.113.77").await.expect(401);
    let told = refused(&operator, "", 1).await;
    assert_eq!(told[0]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn nothing_that_is_presented_is_written_down() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let weak = operator.issue(&account, json!({})).await;
    let (weak, unknown) = (text(&weak, "token").to_owned(), unissued());
    for secret in [&weak, &unknown] {
        let person = api.bearer(secret);
        person.get(&format!("/v1/tokens/{unknown}")).await;
        let asked = person.request(Method::GET, &format!("/v1/tokens?search={weak}"));
        Person::send(asked.header("x-request-id", secret)).await;
        let key = api.nobody().request(Method::GET, "/v1/accounts");
        Person::send(key.header("x-api-key", secret)).await;
    }
    refused(&operator, "", 6).await;
    let rows: Vec<String> = sqlx::query_scalar("select audit_refusals::text from audit_refusals")
        .fetch_all(&stack.database.pool)
        .await
        .unwrap();
    assert!(!rows.is_empty());
    for secret in [weak, unknown] {
        let (_, inner) = secret.rsplit_once('_').unwrap();
        for row in &rows {
            assert!(!row.contains(inner), "{row}");
        }
    }
}

/// The value of a time series of the API.
async fn metric(api: &tollkeeper_testkit::stack::Node, series: &str) -> i64 {
    let shown = api.about_itself("/metrics").await.text;
    let line = shown.lines().find_map(|line| line.strip_prefix(series));
    line.expect("it is shown").trim().parse().unwrap()
}

#[tokio::test]
async fn a_flood_from_many_networks_makes_few_rows_and_is_counted_to_the_last_attempt() {
    const ATTEMPTS: i64 = 10_000;
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let weak = operator.issue(&account, json!({})).await;
    let weak = api.bearer(text(&weak, "token"));

    let knocks = futures::stream::iter(0..ATTEMPTS);
    let nobody = api.nobody();
    let knocks = knocks.map(async |number| {
        let address = format!("10.{}.{}.1", number / 256, number % 256);
        let knock = nobody.request(Method::GET, "/v1/tokens");
        let knock = knock.header("x-forwarded-for", address);
        Person::send(knock).await.expect(401);
    });
    knocks.buffer_unordered(64).collect::<Vec<()>>().await;
    // Strangers are many, and push out nobody who is known.
    weak.get("/v1/accounts").await.expect(403);

    let sum = "select count(*), coalesce(sum(count), 0)::bigint,
            coalesce(sum(count) filter (where code is null), 0)::bigint,
            count(distinct date_trunc('minute', first_at))
        from audit_refusals";
    let read = async || {
        let row = sqlx::query_as::<_, (i64, i64, i64, i64)>(sum);
        row.fetch_one(&stack.database.pool).await.unwrap()
    };
    tollkeeper_testkit::wait_for("all of them to be written", async || {
        read().await.1 > ATTEMPTS
    })
    .await;
    let (rows, attempts, left_out, minutes) = read().await;
    assert_eq!(attempts, ATTEMPTS + 1);
    assert!(rows <= minutes * 61 + 1, "{rows} rows in {minutes} minutes");
    assert_eq!(
        left_out,
        metric(
            &api,
            "tollkeeper_audit_refusals_total{outcome=\"left_out\"}"
        )
        .await
    );
    let kept = metric(&api, "tollkeeper_audit_refusals_total{outcome=\"kept\"}").await;
    assert_eq!(kept, ATTEMPTS + 1 - left_out);
    let known = refused(&operator, "&action=GET%20/v1/accounts", 1).await;
    assert_eq!(known[0]["code"], "INSUFFICIENT_SCOPE");
    let told = walk(&operator, "outcome=refused&limit=200", async |_| {}).await;
    let unnamed: Vec<Value> = told
        .into_iter()
        .filter(|it| it["action"].is_null())
        .collect();
    assert_eq!(count(&unnamed), left_out);
    assert!(left_out > 0);
}
