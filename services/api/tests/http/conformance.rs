//! The running API against its description, by Schemathesis: generated requests, right and wrong
//! ones, and what the answers to them may be.

use std::path::Path;
use std::process::Command;

use chrono::TimeDelta;
use jsonwebtoken::Algorithm;
use serde_json::json;
use tollkeeper_testkit::stack::{Node, OPERATOR_KEY};
use tollkeeper_testkit::{Stack, python_packages};

use crate::leaks::Partner;
use crate::support::{now, text};
use crate::{jwt, webhooks};

#[tokio::test]
async fn an_operator_finds_the_api_as_it_is_described() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let api = api(&mut stack, &partner).await;
    let account = api.operator().account("crm-1").await;
    let key = ["X-API-Key", OPERATOR_KEY].join(": ");
    conforms(&api, "an operator", &key, &account).await;
}

/// Whose credential nothing that is done with it takes away.
#[tokio::test]
async fn an_account_holder_finds_the_api_as_it_is_described() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let api = api(&mut stack, &partner).await;
    let end = (now() + TimeDelta::hours(1)).timestamp();
    let jwt = jwt::signed(Algorithm::HS256, jwt::SECRET, &json!({ "exp": end }));
    let issued = api
        .bearer(&jwt)
        .post("/v1/tokens", json!({ "name": "first" }))
        .await;
    let account = text(&issued.expect(201), "account_id").to_owned();
    let credential = format!("Authorization: Bearer {jwt}");
    conforms(&api, "an account holder", &credential, &account).await;
}

/// An API that refuses nothing because of how it is set up.
async fn api(stack: &mut Stack, partner: &Partner) -> Node {
    let keys = partner.path();
    let mut settings = vec![
        ("TOLLKEEPER_LEAK_KEYS", keys.as_str()),
        ("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "0"),
    ];
    settings.extend(jwt::SETTINGS);
    settings.extend(webhooks::SETTINGS);
    stack.api(&settings).await
}

/// Prints Schemathesis' summary; all that it has said, where it has found something.
#[allow(clippy::print_stdout, reason = "the summary is for people")]
async fn conforms(api: &Node, caller: &str, credential: &str, account: &str) {
    let packages = python_packages("schemathesis", &["schemathesis==4.32.5"]).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let paths = [packages, folder.clone()];
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(folder.join("schemathesis.toml"))
        .args(["run", "--no-color", "--header", credential])
        .arg(format!("http://{}/openapi.json", api.public))
        .current_dir(&cache)
        .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .env("ACCOUNT_ID", account);
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "as {caller}:\n{said}\n{errors}");
    let summary = said.find("= SUMMARY =").map(|at| &said[at..]);
    println!("Schemathesis as {caller}:\n{}", summary.unwrap());
}
