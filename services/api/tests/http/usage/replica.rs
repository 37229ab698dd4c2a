//! Questions that a streaming replica answers, and the primary in its place.

use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{PrivatePostgres, Stack, wait_for};

use super::support::{Call, add_requests, ask, hours, usage_of};
use crate::support::path_of;

/// How many questions were put to this server.
async fn asked(api: &Node, server: &str) -> u64 {
    let told = api.about_itself("/metrics").await.text;
    let name = format!("tollkeeper_usage_questions_total{{server=\"{server}\"}} ");
    let mut lines = told.lines();
    let value = lines.find_map(|line| line.strip_prefix(&name));
    value.expect("the counter").parse().unwrap()
}

async fn total(api: &Node, token: &Value) -> i64 {
    let query = format!("{}&group_by=verdict", hours(0, 1));
    let told = ask(&api.operator(), &usage_of(token, &query)).await;
    told["total"]["requests"].as_i64().unwrap()
}

/// Asks until the replica is the one that answers.
async fn replica_answers(api: &Node, token: &Value) {
    let before = asked(api, "replica").await;
    wait_for("the replica to answer", async || {
        total(api, token).await;
        asked(api, "replica").await > before
    })
    .await;
}

async fn run(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap();
}

async fn stack_with_replica() -> (Stack, PrivatePostgres, Node) {
    let mut stack = Stack::with_own_server().await;
    let replica = stack.server().replica().await;
    let url = replica.url();
    let api = stack.api(&[("TOLLKEEPER_REPLICA_URL", &url)]).await;
    (stack, replica, api)
}

#[tokio::test]
async fn questions_go_to_the_replica_until_it_is_far_behind_and_management_never_does() {
    let (stack, replica, api) = stack_with_replica().await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let primary = &stack.database.pool;
    add_requests(primary, &token, &[Call::after(0), Call::after(1)]).await;
    replica_answers(&api, &token).await;
    wait_for("the requests to be replayed", async || {
        total(&api, &token).await == 2
    })
    .await;

    let standby = PgPool::connect(&replica.url()).await.unwrap();
    run(&standby, "select pg_wal_replay_pause()").await;
    // What is written is read, whatever the replica lacks.
    let late = operator.issue(&account, json!({})).await;
    let read = ask(&operator, &path_of(&late)).await;
    assert_eq!(read["id"], late["id"]);
    assert_eq!(total(&api, &late).await, 0, "it can be asked about at once");
    add_requests(primary, &token, &[Call::after(2)]).await;
    wait_for("the primary to answer instead", async || {
        total(&api, &token).await == 3
    })
    .await;
    assert!(asked(&api, "primary_instead").await > 0);

    run(&standby, "select pg_wal_replay_resume()").await;
    replica_answers(&api, &token).await;
    assert_eq!(asked(&api, "primary").await, 0);
    wait_for("the log to say so", async || {
        let log = api.log_text();
        let turns = |text: &str| log.matches(text).count();
        log.contains("seconds behind") && turns("questions about usage go to the replica") >= 2
    })
    .await;
}

#[tokio::test]
async fn a_question_that_loses_its_replica_is_answered_by_the_primary() {
    let (stack, mut replica, api) = stack_with_replica().await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let primary = &stack.database.pool;
    add_requests(primary, &token, &[Call::after(0)]).await;
    // It stands still on the replica alone.
    run(
        primary,
        "create or replace function usage_agent_family(agent text) returns text
        language plpgsql volatile as $$ begin
            if pg_is_in_recovery() then perform pg_sleep(600); end if;
            return agent;
        end $$",
    )
    .await;
    replica_answers(&api, &token).await;
    let path = usage_of(
        &token,
        &format!("{}&group_by=user_agent_family", hours(0, 1)),
    );
    let standing = "select count(*) from pg_stat_activity
        where wait_event = 'PgSleep' and application_name = 'tollkeeper-api usage'";
    loop {
        let standby = PgPool::connect(&replica.url()).await.unwrap();
        let kill = async {
            wait_for("the question to stand still", async || {
                let waiting = sqlx::query_scalar::<_, i64>(standing).fetch_one(&standby);
                waiting.await.unwrap() == 1
            })
            .await;
            replica.kill().await;
        };
        let (answer, ()) = tokio::join!(operator.get(&path), kill);
        if answer.status != 400 {
            let told = answer.expect(200);
            assert_eq!(told["total"]["requests"], 1);
            break;
        }
        // A machine with much to do has killed it after the question was given up.
        replica.restart().await;
        replica_answers(&api, &token).await;
    }
    // While it is away, and when it is back.
    assert_eq!(total(&api, &token).await, 1);
    assert!(asked(&api, "primary_instead").await > 0);
    replica.restart().await;
    replica_answers(&api, &token).await;
}

#[tokio::test]
async fn what_is_no_replica_is_not_asked() {
    let mut stack = Stack::bare().await;
    let port = tollkeeper_embedded::ports::free().unwrap();
    let nobody = format!("postgres://nobody:nothing@127.0.0.1:{port}/tollkeeper");
    let primary = stack.database.url.clone();
    for (url, reason) in [(&nobody, "the replica is away"), (&primary, "no replica")] {
        let api = stack.api(&[("TOLLKEEPER_REPLICA_URL", url)]).await;
        let operator = api.operator();
        let account = operator.account(reason).await;
        let token = operator.issue(&account, json!({})).await;
        assert_eq!(total(&api, &token).await, 0);
        assert!(asked(&api, "primary_instead").await > 0);
        assert_eq!(asked(&api, "replica").await, 0);
        wait_for("the log to say so", async || {
            api.log_text().contains(reason)
        })
        .await;
        assert!(!api.log_text().contains("nothing@"), "no password is told");
    }
}
