//! `DELETE /v1/accounts/{id}`, and what is denied with an account.

use chrono::{DateTime, Utc};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};
use uuid::Uuid;

use crate::jwt::{SETTINGS, of};
use crate::support::{
    forward_auth, manager, path_of, problem, system_account, text, verify, with_header,
};

fn path(account: &str) -> String {
    format!("/v1/accounts/{account}")
}

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

/// How many tokens of the account the log says were revoked, and how many such events there are.
async fn revoked(pool: &PgPool, account: &str) -> (i64, i64) {
    sqlx::query_as(
        "select count(distinct stream_id), count(*) from events
        where account_id = $1 and type = 'TokenRevoked' and actor = 'system:account-deletion'
            and convert_from(payload, 'utf8') = '{\"reason\":\"account_deleted\"}'",
    )
    .bind(id(account))
    .fetch_one(pool)
    .await
    .unwrap()
}

/// What tokens of a suspended account are refused with.
const SUSPENDED: &[&str] = &["ACCOUNT_SUSPENDED"];

/// What tokens of a deleted account are refused with: they are revoked in the background, at any
/// moment after the deletion.
const DELETED: &[&str] = &["ACCOUNT_SUSPENDED", "REVOKED"];

/// Every way in which a token, and a JWT of the same account, is refused by this API.
async fn refused(node: &Node, token: &str, codes: &[&str], (jwt, forbidden): (&str, &str)) {
    let told = verify(&node.operator(), token).await;
    assert!(codes.contains(&text(&told, "code")), "{told}");
    assert_eq!(told["valid"], false, "{told}");
    let checked = forward_auth(node, token, "").await;
    assert_eq!(checked.status, 401);
    assert!(codes.contains(&checked.code().as_str()), "{checked:?}");
    let person = node.bearer(token);
    let issued = json!({ "name": "late" });
    for answer in [
        person.get("/v1/tokens").await,
        person.post("/v1/tokens", issued.clone()).await,
    ] {
        assert!(codes.contains(&answer.code().as_str()), "{answer:?}");
        problem(&answer, 401, &answer.code());
    }
    let person = node.bearer(jwt);
    problem(&person.get("/v1/tokens").await, 403, forbidden);
    let issued = person.post("/v1/tokens", issued).await;
    problem(&issued, 403, forbidden);
}

/// An account that came by a JWT, with a token that manages it.
async fn account_of_a_jwt(node: &Node, jwt: &str) -> (String, Value) {
    let made = json!({ "name": "first", "scopes": ["orders:read"] });
    let first = node.bearer(jwt).post("/v1/tokens", made).await.expect(201);
    let account = text(&first, "account_id").to_owned();
    let token = manager(&node.operator(), &account, &[]).await;
    (account, token)
}

/// Waits until `node` refuses the token.
async fn heard(node: &Node, token: &str) {
    wait_for("the other API to deny", async || {
        verify(&node.operator(), token).await["valid"] == false
    })
    .await;
}

#[tokio::test]
async fn a_suspended_account_is_denied_everywhere() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&SETTINGS).await, stack.api(&SETTINGS).await);
    let jwt = of("user-1");
    let (account, token) = account_of_a_jwt(&here, &jwt).await;
    let token = text(&token, "token");
    for node in [&here, &there] {
        assert_eq!(verify(&node.operator(), token).await["code"], "VALID");
    }
    let suspend = format!("{}/suspend", path(&account));
    here.operator().post(&suspend, json!({})).await.expect(200);
    refused(&here, token, SUSPENDED, (&jwt, "ACCOUNT_SUSPENDED")).await;
    heard(&there, token).await;
    refused(&there, token, SUSPENDED, (&jwt, "ACCOUNT_SUSPENDED")).await;
}

#[tokio::test]
async fn a_deleted_account_is_denied_everywhere_and_leaves_a_tombstone() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&SETTINGS).await, stack.api(&SETTINGS).await);
    let jwt = of("user-1");
    let (account, token) = account_of_a_jwt(&here, &jwt).await;
    let secret = text(&token, "token");
    let operator = here.operator();
    let profile =
        json!({ "external_id": "crm-1", "name": "Ada Lovelace", "email": "ada@example.com" });
    operator.patch(&path(&account), profile).await.expect(200);
    for node in [&here, &there] {
        assert_eq!(verify(&node.operator(), secret).await["code"], "VALID");
    }

    let answer = operator.delete(&path(&account)).await;
    let tombstone = answer.expect(200);
    assert_eq!(answer.header("etag"), Some("\"3\""));
    refused(&here, secret, DELETED, (&jwt, "ACCOUNT_DELETED")).await;
    heard(&there, secret).await;
    refused(&there, secret, DELETED, (&jwt, "ACCOUNT_DELETED")).await;
    assert_eq!(
        (
            &tombstone["state"],
            &tombstone["name"],
            &tombstone["email"],
            &tombstone["external_id"]
        ),
        (
            &json!("deleted"),
            &json!(null),
            &json!(null),
            &json!("crm-1")
        )
    );
    assert_eq!(operator.get(&path(&account)).await.expect(200), tombstone);
    let again = operator.delete(&path(&account)).await;
    assert_eq!(again.expect(200), tombstone, "once is enough");
    let listed = operator.get("/v1/accounts").await.expect(200);
    assert_eq!(listed["items"], json!([]));

    let profiles =
        "select count(*) from account_profiles where name is not null or email is not null";
    let profiles: i64 = sqlx::query_scalar(profiles)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(profiles, 0, "nothing personal is left");
    let born_again = json!({ "external_id": "crm-1" });
    let born_again = operator.post("/v1/accounts", born_again).await;
    problem(&born_again, 409, "EXTERNAL_ID_TAKEN");
    for (change, body) in [("", json!({ "name": "Ada" })), ("/resume", json!({}))] {
        let path = format!("{}{change}", path(&account));
        let answer = if change.is_empty() {
            operator.patch(&path, body).await
        } else {
            operator.post(&path, body).await
        };
        problem(&answer, 409, "ACCOUNT_DELETED");
    }
    let late = json!({ "account_id": account, "name": "late" });
    let late = operator.post("/v1/tokens", late).await;
    problem(&late, 409, "ACCOUNT_NOT_ACTIVE");

    wait_for("its tokens to be revoked", async || {
        let token = operator.get(&path_of(&token)).await.expect(200);
        token["state"] == "revoked" && token["revocation_reason"] == "account_deleted"
    })
    .await;
}

#[tokio::test]
async fn who_may_not_delete_an_account_is_told_so() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let path = path(&account);

    let seen = ("if-match", "\"9\"");
    let late = with_header(&operator, Method::DELETE, &path, seen, None).await;
    problem(&late, 412, "VERSION_MISMATCH");
    let bad = with_header(&operator, Method::DELETE, &path, ("if-match", "x"), None).await;
    problem(&bad, 400, "INVALID_HEADER");
    for unknown in [Uuid::nil().to_string(), "nonsense".to_owned()] {
        let answer = operator.delete(&format!("/v1/accounts/{unknown}")).await;
        problem(&answer, 404, "NOT_FOUND");
    }
    problem(&api.nobody().delete(&path).await, 401, "UNAUTHENTICATED");
    let holder = api.bearer(&of("user-1"));
    problem(&holder.delete(&path).await, 403, "INSUFFICIENT_SCOPE");
    let scopes = json!({ "scopes": ["tollkeeper:accounts.write"] });
    let own = operator.issue(&account, scopes.clone()).await;
    let own = api.bearer(text(&own, "token"));
    problem(&own.delete(&path).await, 403, "BEYOND_AUTHORITY");

    let system = system_account(&operator).await;
    let system = operator.issue(&system, scopes).await;
    let system = api.bearer(text(&system, "token"));
    assert_eq!(system.delete(&path).await.expect(200)["state"], "deleted");
}

async fn tokens_of(operator: &Person, account: &str, how_many: usize) -> Vec<Value> {
    join_all((0..how_many).map(|_| operator.issue(account, json!({})))).await
}

#[tokio::test]
async fn each_token_is_revoked_once_whatever_process_dies() {
    let mut stack = Stack::bare().await;
    let (mut here, mut there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let mut tokens = tokens_of(&operator, &account, 450).await;
    let early = tokens.swap_remove(0);
    operator.delete(&path_of(&early)).await.expect(200);

    operator.delete(&path(&account)).await.expect(200);
    let pool = &stack.database.pool;
    // Whoever has the lease dies on the way, if it is not too late for that.
    wait_for("the first of them", async || {
        revoked(pool, &account).await.0 > 0
    })
    .await;
    here.kill();
    there.kill();
    here.restart();
    there.restart();
    wait_for("all of them", async || {
        revoked(pool, &account).await.0 == 449
    })
    .await;
    assert_eq!(revoked(pool, &account).await, (449, 449));
    here.ready().await;
    let early = here.operator().get(&path_of(&early)).await.expect(200);
    assert_eq!(early["revocation_reason"], "unspecified", "it was before");
}

async fn add_usage(pool: &PgPool, token: &Value, rows: i32) {
    let at: DateTime<Utc> = crate::support::now();
    sqlx::query("select usage_partition_create($1::date)")
        .bind(at.date_naive())
        .execute(pool)
        .await
        .unwrap();
    sqlx::query(
        r#"insert into api_token_usage (token_id, account_id, "timestamp", token_version,
            response_time_us, status, verdict, timestamp_replaced, method, endpoint, user_agent, ip)
        select $1, $2, $3::timestamptz + (n || ' microseconds')::interval, 1, 1, 200, 0, false,
            'GET', '/', 'a browser', '203.0.113.7'
        from generate_series(1, $4) as n"#,
    )
    .bind(id(text(token, "id")))
    .bind(id(text(token, "account_id")))
    .bind(at)
    .bind(rows)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
        values ($1, $2, $3) on conflict (token_id) do update
        set usage_count = api_token_usage_totals.usage_count + excluded.usage_count",
    )
    .bind(id(text(token, "id")))
    .bind(i64::from(rows))
    .bind(at)
    .execute(pool)
    .await
    .unwrap();
}

async fn raw_usage(pool: &PgPool, account: &str) -> i64 {
    sqlx::query_scalar("select count(*) from api_token_usage where account_id = $1")
        .bind(id(account))
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_raw_usage_of_a_deleted_account_is_erased_twice_and_its_totals_stay() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (account, other) = (
        operator.account("crm-1").await,
        operator.account("crm-2").await,
    );
    let tokens = tokens_of(&operator, &account, 3).await;
    let foreign = operator.issue(&other, json!({})).await;
    let pool = &stack.database.pool;
    // More than one statement erases.
    add_usage(pool, &tokens[0], 12_000).await;
    add_usage(pool, &tokens[2], 5_000).await;
    add_usage(pool, &foreign, 10).await;

    operator.delete(&path(&account)).await.expect(200);
    let passes = async |how_many: i16| {
        wait_for("a pass over its usage", async || {
            let passes: i16 = sqlx::query_scalar("select passes from account_erasures")
                .fetch_one(pool)
                .await
                .unwrap();
            passes == how_many
        })
        .await;
    };
    passes(1).await;
    assert_eq!(raw_usage(pool, &account).await, 0);
    assert_eq!(raw_usage(pool, &other).await, 10);

    // What was in the pipeline arrives, and its time comes.
    add_usage(pool, &tokens[1], 7).await;
    let due = "update account_erasures set due_at = 'epoch' where due_at > deleted_at";
    let due = sqlx::query(due).execute(pool).await.unwrap();
    assert_eq!(due.rows_affected(), 1, "the second pass comes later");
    passes(2).await;
    assert_eq!(raw_usage(pool, &account).await, 0);
    assert_eq!(raw_usage(pool, &other).await, 10);
    let used = operator.get(&path_of(&tokens[0])).await.expect(200);
    assert_eq!(used["usage_count"], 12_000);
    let finished = "select finished_at is not null from account_erasures";
    let finished: bool = sqlx::query_scalar(finished).fetch_one(pool).await.unwrap();
    assert!(finished);
}
