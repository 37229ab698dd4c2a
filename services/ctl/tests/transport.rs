//! TLS to Postgres and to NATS, by real servers with certificates of an authority that nobody else knows.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, TestAuthority, TestNats, wait_for};

/// Authorities' certificates as files, for settings that name one.
struct Trust {
    folder: TempDir,
}

impl Trust {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn file(&self, name: &str, authority: &TestAuthority) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, authority.certificate()).unwrap();
        path
    }
}

fn tollkeeper(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .args(arguments)
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

#[track_caller]
fn refused(done: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&done.stderr).to_lowercase();
    assert!(!done.status.success() && said.contains(reason), "{done:?}");
}

/// Calls are counted by these two, so both reach Postgres and NATS.
async fn a_call_is_counted(api: &Node) {
    let operator = api.operator();
    let account = operator.account("acme").await;
    let token = operator.issue(&account, json!({})).await;
    let bearer = api.bearer(token["token"].as_str().unwrap());
    assert_eq!(bearer.get("/v1/forward-auth").await.status, 200);
    let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    wait_for("the call to be counted", async || {
        operator.get(&path).await.expect(200)["usage_count"] == 1
    })
    .await;
}

/// Has the server speak TLS with a certificate for `localhost`. It reads files that are its own alone.
async fn serve_by_tls(server: &PgPool, authority: &TestAuthority) {
    let certificate = authority.issue("localhost");
    for (name, pem) in [
        ("tls.crt", &certificate.certificate),
        ("tls.key", &certificate.key),
    ] {
        let lines = format!("unnest(string_to_array('{}', E'\\n'))", pem.trim());
        let copy = format!("copy (select {lines}) to program 'umask 077; cat > {name}'");
        run(server, copy).await;
    }
    for statement in [
        "alter system set ssl_cert_file = 'tls.crt'",
        "alter system set ssl_key_file = 'tls.key'",
        "alter system set ssl = on",
        "select pg_reload_conf()",
    ] {
        run(server, statement.to_owned()).await;
    }
    wait_for("the server to speak TLS", async || {
        let on: String = sqlx::query_scalar("show ssl")
            .fetch_one(server)
            .await
            .unwrap();
        on == "on"
    })
    .await;
}

async fn run(server: &PgPool, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(server)
        .await
        .unwrap();
}

/// The URL of the same database and login over TCP, by TLS that proves who the server is.
fn verified(url: &str, authorities: &Path) -> String {
    let (place, _) = url.split_once('?').unwrap();
    let authorities = authorities.display();
    format!("{place}?sslmode=verify-full&sslrootcert={authorities}")
}

#[tokio::test]
async fn postgres_is_talked_to_only_if_it_proves_who_it_is() {
    let (authority, stranger, trust) = (
        TestAuthority::default(),
        TestAuthority::default(),
        Trust::new(),
    );
    let (ours, theirs) = (
        trust.file("ours.pem", &authority),
        trust.file("theirs.pem", &stranger),
    );
    let mut stack = Stack::with_own_server().await;
    serve_by_tls(&stack.database.pool, &authority).await;
    let url = |role| verified(&stack.database.url_of(role), &ours);
    let (as_api, as_ingestor) = (url("tollkeeper_api"), url("tollkeeper_ingestor"));
    let api = stack.api(&[("TOLLKEEPER_DATABASE_URL", &as_api)]).await;
    let _ingestor = stack
        .ingestor(&[("TOLLKEEPER_DATABASE_URL", &as_ingestor)])
        .await;
    a_call_is_counted(&api).await;
    let (secured, all): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where ssl), count(*) from pg_stat_ssl join pg_stat_activity using (pid)
         where usename like 'test_tollkeeper_%'",
    )
    .fetch_one(&stack.database.pool)
    .await
    .unwrap();
    assert!(secured > 2 && secured == all, "{secured} of {all}");

    let asked = |url: &str| tollkeeper(&["audit", "head"], &[("TOLLKEEPER_DATABASE_URL", url)]);
    let good = verified(&stack.database.url, &ours);
    let done = asked(&good);
    assert!(done.status.success(), "{done:?}");
    refused(
        &asked(&good.replace("@localhost", "@127.0.0.1")),
        "certificate",
    );
    refused(
        &asked(&verified(&stack.database.url, &theirs)),
        "certificate",
    );
    run(
        &stack.database.pool,
        "alter system set ssl = off".to_owned(),
    )
    .await;
    run(&stack.database.pool, "select pg_reload_conf()".to_owned()).await;
    wait_for("the server to speak in the clear alone", async || {
        !asked(&good).status.success()
    })
    .await;
}

#[tokio::test]
async fn nats_is_talked_to_only_if_it_proves_who_it_is() {
    let (authority, stranger, trust) = (
        TestAuthority::default(),
        TestAuthority::default(),
        Trust::new(),
    );
    let (ours, theirs) = (
        trust.file("ours.pem", &authority),
        trust.file("theirs.pem", &stranger),
    );
    let (ours, theirs) = (ours.to_str().unwrap(), theirs.to_str().unwrap());
    let nats = TestNats::start_with_tls(authority.issue("localhost")).await;
    let url = format!("tls://localhost:{}", nats.address().port());
    let settings = [("TOLLKEEPER_NATS_URL", &*url), ("TOLLKEEPER_NATS_CA", ours)];
    let done = tollkeeper(&["nats", "apply"], &settings);
    assert!(done.status.success(), "{done:?}");

    let mut stack = Stack::bare().await;
    let api = stack.api(&settings).await;
    let _ingestor = stack.ingestor(&settings).await;
    a_call_is_counted(&api).await;

    let apply = |url: &str, authorities: Option<&str>| {
        let mut settings = vec![("TOLLKEEPER_NATS_URL", url)];
        settings.extend(authorities.map(|file| ("TOLLKEEPER_NATS_CA", file)));
        tollkeeper(&["nats", "diff"], &settings)
    };
    let by_address = format!("tls://{}", nats.address());
    refused(&apply(&by_address, Some(ours)), "cannot connect to nats");
    refused(&apply(&url, Some(theirs)), "cannot connect to nats");
    // The system's own authorities do not know this one.
    refused(&apply(&url, None), "cannot connect to nats");
    // A server that speaks in the clear, where TLS is demanded by its URL or by the setting.
    let plain = stack.nats.address().port();
    for url in [
        format!("tls://localhost:{plain}"),
        format!("nats://localhost:{plain}"),
    ] {
        refused(&apply(&url, Some(ours)), "cannot connect to nats");
    }
}
