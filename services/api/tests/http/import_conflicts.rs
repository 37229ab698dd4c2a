//! Imports of what is known already, of two at once, and of what cannot be written: all or nothing.

use reqwest::Method;
use serde_json::json;
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};

use crate::support;
use crate::support::{problem, text};
use crate::tokens_import::{IMPORT, call, conflict, hash, imported, many, of};

#[tokio::test]
async fn a_hash_belongs_to_one_token_for_ever() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let issued = operator.issue(&other, json!({})).await;
    let issued = text(&issued, "token");
    operator
        .post(IMPORT, call(&own, &["known"]))
        .await
        .expect(201);
    let twice = call(&own, &["a", "known", "b", "a", issued, "b"]);
    let answer = operator.post(IMPORT, twice).await;
    let named = [
        "/tokens/1/hash",
        "/tokens/3/hash",
        "/tokens/4/hash",
        "/tokens/5/hash",
    ];
    conflict(&answer, "DUPLICATE_HASHES", &named);
    assert!(
        answer.text.contains("/tokens/0"),
        "which it repeats: {}",
        answer.text
    );
    for token in ["a", "known", issued] {
        assert!(!answer.text.contains(&hash(token)), "{}", answer.text);
    }
    assert_eq!(imported(&stack).await.2, 1);
    operator
        .post(IMPORT, call(&own, &["a", "b"]))
        .await
        .expect(201);
}

#[tokio::test]
async fn accounts_take_all_of_theirs_or_the_call_comes_to_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "3")]).await;
    let operator = api.operator();
    let (full, free) = (
        operator.account("full").await,
        operator.account("free").await,
    );
    operator.issue(&full, json!({})).await;
    let mut body = call(&full, &["a", "b", "c"]);
    let more = call(&free, &["d"]);
    body["tokens"]
        .as_array_mut()
        .unwrap()
        .insert(1, more["tokens"][0].clone());
    let named = [
        "/tokens/0/account_id",
        "/tokens/2/account_id",
        "/tokens/3/account_id",
    ];
    conflict(
        &operator.post(IMPORT, body.clone()).await,
        "TOO_MANY_TOKENS",
        &named,
    );
    assert_eq!(imported(&stack).await.2, 0);
    body["tokens"].as_array_mut().unwrap().pop();
    operator.post(IMPORT, body).await.expect(201);
    assert_eq!(
        (of(&operator, &full).await, of(&operator, &free).await),
        (3, 1)
    );

    let path = format!("/v1/accounts/{free}/suspend");
    operator.post(&path, json!({})).await.expect(200);
    let mut body = call(&free, &["e"]);
    let roomy = operator.account("roomy").await;
    let more = call(&roomy, &["f"]);
    body["tokens"]
        .as_array_mut()
        .unwrap()
        .insert(0, more["tokens"][0].clone());
    let refused = operator.post(IMPORT, body).await;
    conflict(&refused, "ACCOUNT_NOT_ACTIVE", &["/tokens/1/account_id"]);
    assert_eq!(of(&operator, &roomy).await, 0);
}

#[tokio::test]
async fn of_two_imports_of_the_same_tokens_one_wins() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let account = here.account("crm-1").await;
    for round in 0..5 {
        let tokens = many(40);
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let backwards: Vec<&str> = tokens.iter().rev().copied().collect();
        let (one, other, third) = tokio::join!(
            here.post(IMPORT, call(&account, &tokens)),
            there.post(IMPORT, call(&account, &backwards)),
            here.post(IMPORT, call(&account, &tokens[..1])),
        );
        let mut answers = [one, other, third];
        answers.sort_by_key(|answer| answer.status);
        answers[0].expect(201);
        for late in &answers[1..] {
            let body = problem(late, 409, "DUPLICATE_HASHES");
            assert!(body["errors"][0]["pointer"].is_string(), "{round}: {body}");
        }
        let made = answers[0].json()["ids"].as_array().unwrap().len();
        assert!(made == 40 || made == 1, "{made}");
    }
    let (tokens, secrets, events) = imported(&stack).await;
    assert_eq!((tokens, secrets), (events, events));
}

#[tokio::test]
async fn an_import_that_cannot_be_written_leaves_nothing() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let tokens = many(1000);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let body = call(&account, &tokens);

    let mut holding = stack.database.pool.begin().await.unwrap();
    let lock = sqlx::query("select from event_log_head for update");
    lock.execute(&mut *holding).await.unwrap();
    let late = operator.post(IMPORT, body.clone()).await;
    problem(&late, 503, "UNAVAILABLE");
    assert_eq!(imported(&stack).await, (0, 0, 0));

    // Killed in the middle: all of it or nothing, whatever the server makes of the statement.
    let asked = tokio::spawn({
        let (operator, body) = (operator.clone(), body.clone());
        async move { Person::try_send(operator.request(Method::POST, IMPORT).json(&body)).await }
    });
    let waiting = async || {
        let count = sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_stat_activity
            where datname = current_database() and state = 'active'
                and pid <> pg_backend_pid() and query like '%append_group%'",
        );
        count.fetch_one(&stack.database.pool).await.unwrap()
    };
    wait_for("the import to wait for the lock", async || {
        waiting().await > 0
    })
    .await;
    api.kill();
    assert!(
        asked.await.unwrap().is_none(),
        "it cannot have been answered"
    );
    holding.rollback().await.unwrap();
    wait_for("the server to be done with it", async || {
        waiting().await == 0
    })
    .await;
    let left = imported(&stack).await;
    assert!(left == (0, 0, 0) || left == (1000, 1000, 1000), "{left:?}");

    api.restart();
    api.ready().await;
    let again = operator.post(IMPORT, body).await;
    if left.0 == 0 {
        again.expect(201);
    } else {
        problem(&again, 409, "DUPLICATE_HASHES");
    }
    assert_eq!(imported(&stack).await, (1000, 1000, 1000));
    let verified = support::verify(&operator, tokens[7]).await;
    assert_eq!(verified["code"], "MALFORMED", "no shape is configured");
}
