//! All that Tollkeeper does at the broker, by users that may do nothing else.

use std::process::{Command, Output};

use async_nats::jetstream;
use serde_json::{Value, json};
use tollkeeper_runtime::nats::connect_once;
use tollkeeper_runtime::settings::{BrokerSettings, Secret};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, TestNats, wait_for};

const NATS_URL: &str = "TOLLKEEPER_NATS_URL";

#[tokio::test]
async fn every_program_does_its_work_with_what_its_user_may() {
    let mut stack = Stack::with_users().await;
    apply(&stack.nats);
    let as_api = stack.nats.url_of("tollkeeper-api");
    let as_ingestor = stack.nats.url_of("tollkeeper-ingestor");
    let here = stack.api(&[(NATS_URL, &as_api)]).await;
    let there = stack.api(&[(NATS_URL, &as_api)]).await;
    let ingestor = stack.ingestor(&[(NATS_URL, &as_ingestor)]).await;

    let operator = here.operator();
    let account = operator.account("acme").await;
    let limit = json!([{ "name": "day", "limit": 4, "window_seconds": 86_400, "burst": 4 }]);
    let limited = operator
        .issue(&account, json!({ "rate_limits": limit }))
        .await;
    limits_are_exchanged(&here, &there, text(&limited, "token")).await;

    let counted = operator.issue(&account, json!({})).await;
    let path = format!("/v1/tokens/{}", text(&counted, "id"));
    for node in [&here, &there] {
        for _ in 0..50 {
            let asked = node
                .bearer(text(&counted, "token"))
                .get("/v1/forward-auth")
                .await;
            assert_eq!(asked.status, 200, "{}", asked.text);
        }
    }
    wait_for("every call to be counted", async || {
        operator.get(&path).await.expect(200)["usage_count"] == 100
    })
    .await;

    operator.delete(&path).await.expect(200);
    wait_for("the other node to know of the revocation", async || {
        let asked = there
            .bearer(text(&counted, "token"))
            .get("/v1/forward-auth")
            .await;
        asked.header("x-tollkeeper-code") == Some("REVOKED")
    })
    .await;
    the_log_is_relayed(&stack).await;
    the_log_lacks_nothing_that_was_told(&stack);

    for program in [&here, &there, &ingestor] {
        let log = program.log_text();
        assert!(
            !log.to_lowercase().contains("permissions violation"),
            "{log}"
        );
    }
}

/// The administrator reads what was told.
fn the_log_lacks_nothing_that_was_told(stack: &Stack) {
    let checked = Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .args(["restore", "check"])
        .env(NATS_URL, stack.nats.url_of("tollkeeper-admin"))
        .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(
        checked.status.success() && said.contains("none of 4 events that were told is lost"),
        "{checked:?}"
    );
}

async fn limits_are_exchanged(here: &Node, there: &Node, token: &str) {
    let ask = async |asker: &Person, cost: u32| {
        let question = json!({ "token": token, "cost": cost });
        asker.post("/v1/verify", question).await.expect(200)
    };
    assert_eq!(ask(&here.operator(), 3).await["code"], "VALID");
    wait_for("the other node to hear of it", async || {
        ask(&there.operator(), 0).await["rate_limits"][0]["remaining"] == 1
    })
    .await;
}

/// Waits until the stream holds as many messages as the log has events.
async fn the_log_is_relayed(stack: &Stack) {
    let events: i64 = sqlx::query_scalar("select position from event_log_head")
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    let broker = as_user(&stack.nats, "tollkeeper-admin", "tollkeeper").await;
    let broker = jetstream::new(broker);
    wait_for("the log to be relayed", async || {
        let stream = broker.get_stream("LIFECYCLE").await.unwrap();
        i64::try_from(stream.cached_info().state.messages) == Ok(events)
    })
    .await;
}

#[tokio::test]
async fn whoever_has_no_password_or_a_wrong_one_does_not_get_in() {
    let nats = TestNats::start_with_users().await;
    for url in [
        nats.url(),
        format!("nats://tollkeeper-api:guessed@{}", nats.address()),
        format!("nats://tollkeeper-api@{}", nats.address()),
    ] {
        let refused = connect_once(&settings(url.clone()), "tollkeeper-api").await;
        let error = refused.err().map(|error| error.to_string());
        assert!(
            error
                .as_ref()
                .is_some_and(|it| it.contains("authorization")),
            "{url}: {error:?}"
        );
    }
    as_user(&nats, "tollkeeper-api", "tollkeeper-api").await;
}

#[tokio::test]
async fn streams_are_made_by_the_administrator_alone() {
    let nats = TestNats::start_with_users().await;
    for user in ["tollkeeper-api", "tollkeeper-ingestor", "tollkeeper-gate"] {
        let refused = tollkeeper(&nats.url_of(user), "apply");
        assert!(!refused.status.success(), "{user}: {refused:?}");
    }
    let missing = tollkeeper(&nats.url_of("tollkeeper-admin"), "diff");
    let said = String::from_utf8_lossy(&missing.stdout).into_owned();
    assert!(said.contains("stream USAGE: missing"), "{missing:?}");
    apply(&nats);
    // What is there and right is left as it is.
    apply(&nats);
}

/// Makes the streams as an administrator does.
pub(crate) fn apply(nats: &TestNats) {
    let as_admin = nats.url_of("tollkeeper-admin");
    for command in ["apply", "diff"] {
        let done = tollkeeper(&as_admin, command);
        assert!(done.status.success(), "{command}: {done:?}");
    }
}

fn tollkeeper(url: &str, command: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .args(["nats", command])
        .env(NATS_URL, url)
        .output()
        .unwrap()
}

/// A client of this user that listens for answers as this program does.
pub(crate) async fn as_user(nats: &TestNats, user: &str, program: &str) -> async_nats::Client {
    let connected = connect_once(&settings(nats.url_of(user)), program).await;
    connected.unwrap_or_else(|error| panic!("{user}: {error}"))
}

fn settings(url: String) -> BrokerSettings {
    BrokerSettings {
        servers: Secret::new(url),
        credentials: None,
        authorities: None,
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}
