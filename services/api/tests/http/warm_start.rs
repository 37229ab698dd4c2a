//! Nodes that have just started: what they know before anybody asks, and everybody asking at once.

use std::cell::RefCell;

use serde_json::{Value, json};
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_domain::secret::{Brand, Environment, TokenSecret};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{forward_auth, path_of, text, verify};

/// How many ask at once.
const MANY: usize = 10_000;

/// A token that was used, and whose use is written.
async fn used(api: &Node) -> Value {
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let secret = text(&token, "token");
    assert_eq!(forward_auth(api, secret, "").await.status, 200);
    wait_for("its use to be written", async || {
        let read = operator.get(&path_of(&token)).await.expect(200);
        read["last_used_at"].is_string()
    })
    .await;
    token
}

#[tokio::test]
async fn a_node_that_starts_again_knows_the_tokens_used_last() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let token = used(&api).await;
    let ended = used_and_revoked(&api).await;
    api.stop().await;
    api.restart();
    api.ready().await;
    let told = verify(&api.operator(), text(&token, "token")).await;
    assert_eq!(
        (&told["code"], &told["cache"]),
        (&json!("VALID"), &json!("hit"))
    );
    let told = verify(&api.operator(), &ended).await;
    assert_eq!(
        (&told["code"], &told["cache"]),
        (&json!("REVOKED"), &json!("hit"))
    );

    let without = stack.api(&[("TOLLKEEPER_PRELOAD_TOKENS", "0")]).await;
    let told = verify(&without.operator(), text(&token, "token")).await;
    assert_eq!(
        (&told["code"], &told["cache"]),
        (&json!("VALID"), &json!("miss"))
    );
}

async fn used_and_revoked(api: &Node) -> String {
    let operator = api.operator();
    let account = operator.account("crm-2").await;
    let token = operator.issue(&account, json!({})).await;
    let secret = text(&token, "token").to_owned();
    assert_eq!(forward_auth(api, &secret, "").await.status, 200);
    operator.delete(&path_of(&token)).await.expect(200);
    wait_for("its use to be written", async || {
        let read = operator.get(&path_of(&token)).await.expect(200);
        read["last_used_at"].is_string()
    })
    .await;
    secret
}

#[tokio::test]
async fn a_database_that_does_not_tell_which_tokens_keeps_no_node_from_starting() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let mut held = stack.database.pool.begin().await.unwrap();
    let lock = sqlx::query("lock table api_token_usage_totals in access exclusive mode");
    lock.execute(&mut *held).await.unwrap();

    let late = stack.starting_api(&[]);
    wait_for("a node that waits for them", async || {
        let said = late.about_itself("/readyz").await;
        let components = &said.json()["components"];
        said.status == 503
            && components["proof"]["ready"] == true
            && components["warm_start"]["ready"] == false
    })
    .await;
    // It answers whoever asks already, and is ready in the end.
    let told = verify(&late.operator(), text(&token, "token")).await;
    assert_eq!(told["code"], "VALID");
    late.ready().await;
    held.rollback().await.unwrap();
}

/// Tokens of one account, of which only the hashes were told.
async fn imported(operator: &Person) -> Vec<String> {
    let account = operator.account("crm-1").await;
    let brand: Brand = "tk".parse().unwrap();
    let fill = |bytes: &mut [u8]| SystemEntropy.fill(bytes);
    let secrets: Vec<_> = (0..MANY)
        .map(|_| TokenSecret::generate(&brand, Environment::Live, fill))
        .collect();
    for part in secrets.chunks(1000) {
        let tokens: Vec<_> = part
            .iter()
            .map(|secret| {
                let hash = serde_json::to_value(secret.hash()).unwrap();
                json!({ "account_id": account, "name": "a token", "hash": hash })
            })
            .collect();
        let body = json!({ "tokens": tokens });
        operator.post("/v1/tokens/import", body).await.expect(201);
    }
    let texts = secrets.iter().map(|secret| secret.expose().to_owned());
    texts.collect()
}

/// Asks about some tokens until the node can tell of all of them.
async fn valid_in_the_end(operator: &Person, tokens: &[String]) {
    let left = RefCell::new(tokens.to_vec());
    wait_for("all to be known", async || {
        let asked = left.borrow().clone();
        let items: Vec<_> = asked.iter().map(|it| json!({ "token": it })).collect();
        let body = json!({ "items": items });
        let told = operator.post("/v1/verify/batch", body).await.expect(200);
        let told = told["items"].as_array().unwrap();
        let unknown = asked.into_iter().zip(told).filter(|(_, answer)| {
            // What cannot be read in time is not known, which is not the same as not being there.
            let code = text(answer, "code");
            assert!(["VALID", "UNAVAILABLE"].contains(&code), "{code}");
            code == "UNAVAILABLE"
        });
        *left.borrow_mut() = unknown.map(|(token, _)| token).collect();
        left.borrow().is_empty()
    })
    .await;
}

/// Asks a node for something else until `done`, which must not have to wait for it.
async fn goes_on(api: &Node, done: impl Future<Output = ()>) {
    let operator = api.operator();
    let mut done = std::pin::pin!(done);
    let mut rounds = 0;
    loop {
        tokio::select! {
            () = &mut done, if rounds > 0 => return,
            answers = async { tokio::join!(
                operator.get("/v1/tokens?limit=1"),
                operator.get("/v1/whoami"),
                api.about_itself("/readyz"),
            ) } => {
                let (list, whoami, ready) = answers;
                for answer in [list, whoami, ready] {
                    answer.expect(200);
                }
                rounds += 1;
            }
        }
    }
}

#[tokio::test]
async fn ten_thousand_tokens_at_once_cost_a_fresh_node_few_look_ups() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "0")]).await;
    let tokens = imported(&api.operator()).await;
    let fresh = stack.api(&[]).await;
    let operator = fresh.operator();

    let all = async {
        let asked = tokens
            .chunks(100)
            .map(|tokens| valid_in_the_end(&operator, tokens));
        futures::future::join_all(asked).await;
    };
    goes_on(&fresh, all).await;
    let metrics = fresh.about_itself("/metrics").await.text;
    let lookups = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tollkeeper_verification_lookups_total "));
    let lookups: u64 = lookups.expect("the metric").trim().parse().unwrap();
    assert!(lookups < 1000, "{lookups} look-ups of {MANY} tokens");
    let connections: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database()
            and application_name = 'tollkeeper-api verification'",
    )
    .fetch_one(&stack.database.pool)
    .await
    .unwrap();
    // Of two nodes, each at most four for look-ups and one for the log.
    assert!(connections <= 10, "{connections} connections");
}
