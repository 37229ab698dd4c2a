//! What is denied on one API is denied on all of them.

use serde_json::{Value, json};
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{forward_auth, path_of, text};

/// Two APIs on one database and one broker.
async fn pair() -> (Stack, Node, Node) {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    (stack, here, there)
}

/// Tokens that both APIs have in memory.
async fn known_to_both(account: &str, nodes: [&Node; 2], how_many: usize) -> Vec<Value> {
    let mut tokens = Vec::new();
    for _ in 0..how_many {
        let token = nodes[0].operator().issue(account, json!({})).await;
        for node in nodes {
            assert_eq!(
                forward_auth(node, text(&token, "token"), "").await.status,
                200
            );
        }
        tokens.push(token);
    }
    tokens
}

async fn denied(node: &Node, token: &Value, code: &str) {
    wait_for(&format!("the other API to say {code}"), async || {
        let answer = forward_auth(node, text(token, "token"), "").await;
        answer.status == 401 && answer.code() == code
    })
    .await;
}

/// Ends, rests and rotates tokens here and waits until they are denied there.
pub(crate) async fn deny_from_afar(here: &Node, there: &Node, account: &str) {
    let operator = here.operator();
    let tokens = known_to_both(account, [here, there], 3).await;
    let path = |index: usize| path_of(&tokens[index]);
    operator.delete(&path(0)).await.expect(200);
    denied(here, &tokens[0], "REVOKED").await;
    denied(there, &tokens[0], "REVOKED").await;
    let suspend = format!("{}/suspend", path(1));
    operator.post(&suspend, json!({})).await.expect(200);
    denied(there, &tokens[1], "SUSPENDED").await;
    let rotate = format!("{}/rotate", path(2));
    let rotated = operator.post(&rotate, json!({})).await.expect(200);
    denied(there, &tokens[2], "EXPIRED").await;
    let new = forward_auth(there, text(&rotated, "token"), "").await;
    assert_eq!(new.status, 200);

    let resume = format!("{}/resume", path(1));
    operator.post(&resume, json!({})).await.expect(200);
    wait_for("the other API to let it pass again", async || {
        forward_auth(there, text(&tokens[1], "token"), "")
            .await
            .status
            == 200
    })
    .await;
}

#[tokio::test]
async fn a_denial_reaches_the_other_api() {
    let (_stack, here, there) = pair().await;
    let account = here.operator().account("crm-1").await;
    deny_from_afar(&here, &there, &account).await;
}

#[tokio::test]
async fn a_denial_reaches_the_other_api_without_the_broker() {
    let (mut stack, here, there) = pair().await;
    let account = here.operator().account("crm-1").await;
    stack.nats.kill().await;
    for node in [&here, &there] {
        wait_for("NATS to be missed", async || {
            let said = node.about_itself("/readyz").await;
            said.json()["components"]["nats"]["ready"] == false
        })
        .await;
    }
    deny_from_afar(&here, &there, &account).await;
}

#[tokio::test]
async fn a_suspended_account_is_denied_on_the_other_api() {
    let (_stack, here, there) = pair().await;
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let tokens = known_to_both(&account, [&here, &there], 2).await;
    let path = format!("/v1/accounts/{account}");
    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    for token in &tokens {
        let answer = forward_auth(&here, text(token, "token"), "").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "ACCOUNT_SUSPENDED")
        );
        denied(&there, token, "ACCOUNT_SUSPENDED").await;
    }
    operator
        .post(&format!("{path}/resume"), json!({}))
        .await
        .expect(200);
    for token in &tokens {
        wait_for("the other API to let it pass again", async || {
            forward_auth(&there, text(token, "token"), "").await.status == 200
        })
        .await;
    }
}
