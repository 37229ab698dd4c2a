//! How cursors move through a log that holds little for a webhook.

use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};

use super::SETTINGS;
use super::receiver::Receiver;
use crate::support::text;

/// Keeps from where to where each statement has moved which cursor.
const WATCH: &str = "
    create table moves (statement xid8, webhook uuid, came_from bigint, went_to bigint);
    create function note_moves() returns trigger language plpgsql security definer as $$
    begin
        insert into moves
        select pg_current_xact_id(), n.id, o.position, n.position
        from olds as o join news as n using (id) where n.position <> o.position;
        return null;
    end $$;
    create trigger note_moves after update on webhooks
    referencing old table as olds new table as news
    for each statement execute function note_moves()";

/// Has so many thousands of events happen that no webhook here asks for.
async fn thousands(operator: &Person, count: u32) {
    for thousand in 0..count {
        let account = operator.account(&format!("thousand {thousand}")).await;
        let tokens: Vec<Value> = (0..1_000)
            .map(|token| {
                let hash = format!("{:064x}", u64::from(thousand) * 1_000 + token);
                json!({ "account_id": account, "name": "a token", "hash": hash })
            })
            .collect();
        let body = json!({ "tokens": tokens });
        let imported = operator.post("/v1/tokens/import", body).await;
        assert_eq!(imported.status, 201, "{}", imported.code());
    }
}

async fn webhook(operator: &Person, url: &str) -> String {
    let body = json!({ "url": url, "types": ["AccountSuspended"] });
    let made = operator.post("/v1/webhooks", body).await.expect(201);
    text(&made, "id").to_owned()
}

async fn replay(operator: &Person, webhook: &str, after: i64) {
    let path = format!("/v1/webhooks/{webhook}/replay");
    operator
        .post(&path, json!({ "after": after }))
        .await
        .expect(200);
}

async fn moves(pool: &PgPool) -> Vec<(i64, i64)> {
    let moves = "select came_from, went_to from moves where went_to > came_from
        order by statement";
    sqlx::query_as(moves).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn a_replay_of_a_rare_type_reads_the_log_in_parts() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let suspend = async |name: &str| {
        let account = operator.account(name).await;
        let suspend = format!("/v1/accounts/{account}/suspend");
        operator.post(&suspend, json!({})).await.expect(200);
    };
    suspend("the first").await;
    thousands(&operator, 11).await;
    suspend("the last").await;
    let pool = &stack.database.pool;
    let there = "select position from events where type = 'AccountSuspended' order by position";
    let there: Vec<i64> = sqlx::query_scalar(there).fetch_all(pool).await.unwrap();
    let [first, last] = there[..] else {
        panic!("two were suspended: {there:?}");
    };
    let receiver = Receiver::start().await;
    let webhook = webhook(&operator, &receiver.url()).await;
    pool.execute(WATCH).await.unwrap();
    let done = async || {
        wait_for("the cursor at the end of the log", async || {
            let found = operator.get(&format!("/v1/webhooks/{webhook}")).await;
            found.expect(200)["position"] == last
        })
        .await;
    };

    // One who is served looks ahead so far at once.
    replay(&operator, &webhook, 0).await;
    let arrived = receiver.wait(2).await;
    assert_eq!(
        (arrived[0].position(), arrived[1].position()),
        (first, last)
    );
    done().await;
    let far = 10_000;
    assert_eq!(moves(pool).await, [(0, first), (first, far), (far, last)]);

    // One who has nothing ahead is moved on.
    pool.execute("truncate moves").await.unwrap();
    replay(&operator, &webhook, first).await;
    let arrived = receiver.wait(3).await;
    assert_eq!(arrived[2].position(), last);
    done().await;
    let moves = moves(pool).await;
    let steps: Vec<i64> = moves.iter().map(|(from, to)| to - from).collect();
    assert!(steps.len() >= 6, "{moves:?}");
    assert!(steps.iter().all(|step| *step <= 2_000), "{moves:?}");
}

#[tokio::test]
async fn idle_webhooks_are_moved_on_by_one_statement() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    for _ in 0..30 {
        webhook(&operator, "http://127.0.0.1:1/").await;
    }
    let pool = &stack.database.pool;
    pool.execute(WATCH).await.unwrap();
    thousands(&operator, 1).await;
    wait_for("the cursors at the end of the log", async || {
        let behind = "select count(*) from webhooks as w, event_log_head as h
            where w.position < h.position";
        let behind = sqlx::query_scalar::<_, i64>(behind);
        behind.fetch_one(pool).await.unwrap() == 0
    })
    .await;
    let moved = "select count(distinct statement), count(*) from moves";
    let moved: (i64, i64) = sqlx::query_as(moved).fetch_one(pool).await.unwrap();
    assert_eq!(moved, (1, 30));
}
