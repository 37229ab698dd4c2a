//! `tollkeeper nats` and `tollkeeper migrate` against real servers.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use async_nats::jetstream;
use tollkeeper_runtime::database::{SchemaError, check_schema};
use tollkeeper_testkit::{TestDatabase, TestNats};

fn tollkeeper(variable: (&str, &str), arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .args(arguments)
        .env(variable.0, variable.1)
        .output()
        .unwrap()
}

#[tokio::test]
async fn what_is_applied_no_longer_differs() {
    let nats = TestNats::start().await;
    let run = |arguments: &[&str]| tollkeeper(("TOLLKEEPER_NATS_URL", &nats.url()), arguments);

    let before = run(&["nats", "diff"]);
    let text = String::from_utf8(before.stdout).unwrap();
    assert!(!before.status.success());
    for name in [
        "stream LIFECYCLE",
        "stream USAGE",
        "consumer USAGE.ingestor",
    ] {
        assert!(text.contains(&format!("{name}: missing")), "{text}");
    }

    let applied = run(&["nats", "apply"]);
    assert!(applied.status.success(), "{applied:?}");
    let after = run(&["nats", "diff"]);
    assert!(after.status.success(), "{after:?}");
}

#[tokio::test]
async fn a_changed_stream_is_shown_and_mended() {
    let nats = TestNats::start().await;
    let run = |arguments: &[&str]| tollkeeper(("TOLLKEEPER_NATS_URL", &nats.url()), arguments);
    assert!(run(&["nats", "apply"]).status.success());

    let context = jetstream::new(nats.client().await);
    let stream = context.get_stream("LIFECYCLE").await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_bytes = 4096;
    context.update_stream(config).await.unwrap();

    let diff = run(&["nats", "diff"]);
    let text = String::from_utf8(diff.stdout).unwrap();
    assert!(!diff.status.success());
    assert!(
        text.contains("stream LIFECYCLE: max_bytes is 4096"),
        "{text}"
    );
    assert!(run(&["nats", "apply"]).status.success());
    assert!(run(&["nats", "diff"]).status.success());
}

#[tokio::test]
async fn a_server_by_itself_is_not_taken_for_a_cluster() {
    let nats = TestNats::start().await;
    let applied = |replicas| {
        Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
            .args(["nats", "apply"])
            .env("TOLLKEEPER_NATS_URL", nats.url())
            .env("TOLLKEEPER_NATS_REPLICAS", replicas)
            .output()
            .unwrap()
    };
    for (replicas, reason) in [
        (
            "3",
            "TOLLKEEPER_NATS_REPLICAS is 3, but the broker is a server by itself",
        ),
        ("0", "expected 1 to 5"),
        ("6", "expected 1 to 5"),
    ] {
        let refused = applied(replicas);
        assert!(!refused.status.success());
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains(reason), "{text}");
    }
    let context = jetstream::new(nats.client().await);
    assert!(
        context.get_stream("USAGE").await.is_err(),
        "nothing was made"
    );
    assert!(applied("1").status.success());
}

#[tokio::test]
async fn a_broker_that_is_away_is_said_to_be() {
    let mut nats = TestNats::start().await;
    let url = nats.url();
    nats.stop().await;
    let applied = tollkeeper(("TOLLKEEPER_NATS_URL", &url), &["nats", "apply"]);
    assert!(!applied.status.success());
    let text = String::from_utf8(applied.stderr).unwrap();
    assert!(text.contains("cannot connect to NATS"), "{text}");
}

#[tokio::test]
async fn the_schema_goes_down_and_up_again() {
    let database = TestDatabase::create().await;
    let run = |arguments: &[&str]| {
        let done = tollkeeper(("TOLLKEEPER_DATABASE_URL", &database.url), arguments);
        assert!(done.status.success(), "{done:?}");
    };
    for _ in 0..2 {
        run(&["migrate", "--down-to", "0"]);
        let behind = check_schema(&database.pool).await.unwrap_err();
        assert!(matches!(behind, SchemaError::Behind(_)), "{behind}");
        run(&["migrate"]);
        check_schema(&database.pool).await.unwrap();
    }
}
