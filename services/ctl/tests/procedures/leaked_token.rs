//! A token was found where it does not belong.

use std::process::Command;

use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, wait_for};

use crate::runbook::{Runbook, as_operator};

const RUNBOOK: Runbook = Runbook(include_str!("../../../../docs/runbooks/leaked-token.md"));

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_token_is_ended_and_what_it_did_is_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let manages = json!({ "scopes": ["tollkeeper:tokens.write"], "name": "ci leaked" });
    let leaked = operator.issue(&account, manages).await;
    let (id, secret) = (
        leaked["id"].as_str().unwrap(),
        leaked["token"].as_str().unwrap(),
    );
    let child = api
        .bearer(secret)
        .issue(&account, json!({ "name": "by the leaked one" }))
        .await;
    let other = operator
        .issue(&account, json!({ "name": "ci other" }))
        .await;
    for (token, calls) in [(&leaked, 7), (&other, 3)] {
        let caller = api.bearer(token["token"].as_str().unwrap());
        for _ in 0..calls {
            caller.get("/v1/forward-auth/orders").await.expect(200);
        }
    }
    let run = async |comment: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("leaked-token"), secret).unwrap();
        let enter = format!("cd {}\n", folder.path().display());
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &(enter + &RUNBOOK.commands(comment))])
            .env("ID", id)
            .env("OTHER", other["id"].as_str().unwrap());
        let (code, said) = as_operator(command, (&stack, &api)).await;
        assert!(!said.contains(secret), "{comment}: {said}");
        (code, said)
    };

    let (code, said) = run("Whose is it?").await;
    assert!(
        code == 0 && said.contains(id) && said.contains(&account),
        "{said}"
    );
    let (code, said) = run("End it.").await;
    assert!(code == 0 && said.contains("leaked"), "{said}");
    for token in [&leaked, &child] {
        let caller = api.bearer(token["token"].as_str().unwrap());
        wait_for("it to be refused", async || {
            caller.get("/v1/forward-auth/orders").await.status == 401
        })
        .await;
    }
    wait_for("the report to be whole", async || {
        let (code, said) = run("See what it did.").await;
        code == 0 && said.contains("/orders") && said.contains("REVOKED")
    })
    .await;
    let (code, said) = run("See each request, and what was done to it.").await;
    assert!(code == 0 && said.contains("TokenRevoked"), "{said}");
    assert!(said.matches("/orders").count() >= 7, "{said}");
    let (code, said) = run("Try a narrower rule.").await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = run("End others.").await;
    assert_eq!(code, 0, "{said}");
    let path = format!("/v1/tokens/{}", other["id"].as_str().unwrap());
    let other: Value = operator.get(&path).await.expect(200);
    assert_eq!(
        (&other["state"], &other["revocation_reason"]),
        (&json!("revoked"), &json!("leaked"))
    );
}
