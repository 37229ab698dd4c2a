//! `tollkeeper projections` as an operator runs it: what it says, and what it does when it is killed.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tollkeeper_testkit::{Stack, TestDatabase, wait_for};

fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollkeeper"));
    command
        .arg("projections")
        .args(arguments)
        .env("TOLLKEEPER_DATABASE_URL", url);
    command
}

async fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = command(&database.url, arguments);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    done.unwrap().unwrap()
}

fn start(database: &TestDatabase) -> Child {
    command(&database.url, &["rebuild"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An API with two accounts and a token of the first, whose secret and id come with it.
async fn stack() -> (Stack, tollkeeper_testkit::stack::Node, String, String) {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("acme").await;
    operator.account("other").await;
    let made = operator
        .issue(&account, json!({ "scopes": ["read"] }))
        .await;
    let of = |name: &str| made[name].as_str().unwrap().to_owned();
    let (secret, id) = (of("token"), of("id"));
    (stack, api, secret, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_told_and_put_right() {
    let (stack, _api, secret, id) = stack().await;
    let database = &stack.database;
    let equal = run(database, &["verify"]).await;
    assert_eq!(equal.status.code(), Some(0), "{equal:?}");
    assert!(text(&equal.stdout).contains("the tables are what the log says up to 3 "));

    database
        .pool
        .execute(
            "update api_tokens set name = 'by hand', scopes = '{write}';
            update api_token_secrets set secret_hash = sha256('by hand')",
        )
        .await
        .unwrap();
    let differs = run(database, &["verify"]).await;
    assert_eq!(differs.status.code(), Some(1), "{differs:?}");
    let complaints = text(&differs.stderr);
    for line in [
        format!("api_token_secrets {id}: extra"),
        format!("api_token_secrets {id}: missing"),
        format!("api_tokens {id}: different in name, scopes"),
        "3 rows differ from the log".to_owned(),
    ] {
        assert!(complaints.contains(&line), "{line}: {complaints}");
    }

    let rebuilt = run(database, &["rebuild", "--output", "json"]).await;
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    let answer: Value = serde_json::from_slice(&rebuilt.stdout).unwrap();
    assert_eq!(
        (
            &answer["position"],
            &answer["differing"],
            &answer["replaced"]
        ),
        (&json!(3), &json!(3), &json!(true))
    );
    assert_eq!(
        answer["tables"][2],
        json!({ "table": "api_tokens", "rows": 1, "missing": 0, "extra": 0, "different": 1 })
    );
    let again = run(database, &["rebuild", "--output", "json"]).await;
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["differences"], json!([]));
    // The audit log tells of the one that changed something.
    let noted: Vec<(String, String, Value)> =
        sqlx::query_as("select action, actor, details from audit_entries")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    let [(action, actor, details)] = &noted[..] else {
        panic!("{noted:?}");
    };
    assert_eq!(action, "ProjectionsRebuilt");
    assert!(actor.starts_with("database:"), "{actor}");
    assert_eq!(*details, json!({ "position": 3, "rows": 3 }));

    // Neither a secret nor a hash is ever told.
    let hash: String =
        sqlx::query_scalar("select encode(secret_hash, 'hex') from api_token_secrets")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    for said in [
        &differs.stdout,
        &differs.stderr,
        &rebuilt.stdout,
        &rebuilt.stderr,
    ] {
        let said = text(said);
        assert!(!said.contains(&hash) && !said.contains(&secret), "{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_known_has_a_code_of_its_own() {
    let database = TestDatabase::create().await;
    database
        .pool
        .execute("update event_log_head set position = 1")
        .await
        .unwrap();
    for arguments in [&["verify"], &["rebuild"]] {
        let broken = run(&database, arguments).await;
        assert_eq!(broken.status.code(), Some(2), "{broken:?}");
        let complaint = text(&broken.stderr);
        assert!(
            complaint.contains("the chain is broken at event 1"),
            "{complaint}"
        );
    }
    let mut nowhere = command("postgres://postgres@127.0.0.1:1/none", &["verify"]);
    assert_eq!(nowhere.output().unwrap().status.code(), Some(2));
}

/// Whether a rebuild waits for a lock.
async fn held_up(pool: &PgPool) -> bool {
    let waiting = "select exists (select from pg_stat_activity
        where wait_event_type = 'Lock' and application_name = 'tollkeeper projections'
            and datname = current_database())";
    sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_leaves_nothing_behind() {
    let (stack, _api, _secret, id) = stack().await;
    let database = &stack.database;
    let pool = &database.pool;
    pool.execute("update api_tokens set name = 'by hand'")
        .await
        .unwrap();
    // Killed while it reads the log, while it compares, and while it replaces.
    for lock in [
        "lock table events in access exclusive mode",
        "lock table api_token_secrets in access exclusive mode",
        "select from event_log_head for update",
    ] {
        let mut gate = PgConnection::connect(&database.url).await.unwrap();
        gate.execute("begin").await.unwrap();
        gate.execute(lock).await.unwrap();
        let mut killed = start(database);
        // A replacement gives up after some seconds, which a slow machine may let pass.
        wait_for("the rebuild to be held up", || {
            if killed.try_wait().unwrap().is_some() {
                killed = start(database);
            }
            held_up(pool)
        })
        .await;
        let second = run(database, &["rebuild"]).await;
        assert_eq!(second.status.code(), Some(2), "{second:?}");
        killed.kill().unwrap();
        killed.wait().unwrap();
        gate.close().await.unwrap();

        let name: String = sqlx::query_scalar("select name from api_tokens")
            .fetch_one(pool)
            .await
            .unwrap();
        wait_for("the killed session to end", async || {
            let left = "select not exists (select from pg_stat_activity
                where application_name = 'tollkeeper projections'
                    and datname = current_database())";
            sqlx::query_scalar(left).fetch_one(pool).await.unwrap()
        })
        .await;
        assert!(
            ["by hand", "a token"].contains(&name.as_str()),
            "{lock}: {name}"
        );
        let found = run(database, &["verify", "--output", "json"]).await;
        let found: Value = serde_json::from_slice(&found.stdout).unwrap();
        let only = json!([{
            "table": "api_tokens", "id": id, "kind": "different", "columns": ["name"],
        }]);
        assert!(
            found["differences"] == json!([]) || found["differences"] == only,
            "{found}"
        );
    }
    assert_eq!(run(database, &["rebuild"]).await.status.code(), Some(0));
    assert_eq!(run(database, &["verify"]).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_forget_what_they_had_read_of_a_row_that_was_put_right() {
    let (mut stack, first, secret, id) = stack().await;
    let second = stack.api(&[]).await;
    let nodes = [&first, &second];
    let code = async |node: &tollkeeper_testkit::stack::Node| {
        let asked = node
            .operator()
            .post("/v1/verify", json!({ "token": secret }))
            .await;
        asked.expect(200)["code"].as_str().unwrap().to_owned()
    };
    let all_say = async |wanted: &'static str| {
        for node in nodes {
            wait_for(wanted, async || code(node).await == wanted).await;
        }
    };
    let revoked = first.operator().delete(&format!("/v1/tokens/{id}")).await;
    revoked.expect(200);
    all_say("REVOKED").await;

    // A third node reads the row as somebody left it.
    stack
        .database
        .pool
        .execute(
            "update api_tokens
            set state = 'active', revoked_at = null, revocation_reason = null",
        )
        .await
        .unwrap();
    let third = stack.api(&[]).await;
    wait_for("the third node", async || code(&third).await == "VALID").await;

    assert_eq!(
        run(&stack.database, &["rebuild"]).await.status.code(),
        Some(0)
    );
    wait_for("the third node to deny", async || {
        code(&third).await == "REVOKED"
    })
    .await;
    all_say("REVOKED").await;
}
