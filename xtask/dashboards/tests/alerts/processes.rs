//! Processes that are away, stand still, or wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use tokio::net::TcpListener;
use tollkeeper_dashboards::world::World;
use tollkeeper_testkit::stack::{Person, Signal};
use tollkeeper_testkit::wait_for;

use crate::Seen;

const DOWN: &str = "TollkeeperInstanceDown";
const MISSING: &str = "TollkeeperInstancesMissing";
const REVOCATION: &str = "TollkeeperRevocationSlow";
const WEBHOOKS: &str = "TollkeeperWebhooksFailing";
const POOL: &str = "TollkeeperDatabasePoolExhausted";
const SLOW: [&str; 2] = [
    "TollkeeperVerificationSlowBudgetFast",
    "TollkeeperVerificationSlowBudgetSlow",
];

/// Longer than a revocation may take. This length is the fault.
const TOO_LONG: Duration = Duration::from_millis(3500);

/// Longer than a check may take, and shorter than it may wait.
const A_WHILE: Duration = Duration::from_millis(60);

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_away_or_stand_still_are_told() {
    let mut world = World::start(&[&[], &[]]).await;
    wait_for("Prometheus to have asked", async || {
        let up = world.prometheus.at("up == 1", world.range().to).await;
        up.unwrap().len() == 3
    })
    .await;
    // Before it had asked anybody, it knew of nobody.
    world.clears(MISSING).await;
    let mut seen = Seen::quiet(&world, &[DOWN, MISSING, REVOCATION]).await;
    let operator = world.apis[0].operator();
    let account = operator.account("shop").await;

    let token = operator.issue(&account, json!({})).await;
    let bearer = world.apis[1].bearer(token["token"].as_str().unwrap());
    bearer.get("/v1/forward-auth").await.expect(200);
    world.apis[1].freeze().await;
    let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    operator.delete(&path).await.expect(200);
    tokio::time::sleep(TOO_LONG).await;
    world.apis[1].signal(Signal::CONT);
    seen.fires(&world, REVOCATION).await;
    seen.clears(&world, REVOCATION).await;

    world.apis[1].kill();
    seen.fires(&world, DOWN).await;
    world.apis[1].restart();
    seen.clears(&world, DOWN).await;

    let apis: Vec<_> = world.apis.iter().map(|api| api.internal).collect();
    world.prometheus.watch(&apis, &[]);
    seen.fires(&world, MISSING).await;
    world.watch_all();
    seen.clears(&world, MISSING).await;
    seen.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_take_nothing_are_told() {
    let world = World::start(&[&[]]).await;
    let mut seen = Seen::quiet(&world, &[WEBHOOKS]).await;
    let operator = world.apis[0].operator();
    let account = operator.account("shop").await;
    // A port that nobody listens on.
    let nobody = tollkeeper_embedded::ports::free().unwrap();
    let body = json!({ "url": format!("http://127.0.0.1:{nobody}/") });
    let hook = operator.post("/v1/webhooks", body).await.expect(201);
    operator.issue(&account, json!({})).await;
    seen.fires(&world, WEBHOOKS).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async || "thank you");
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let path = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
    operator
        .patch(&path, json!({ "url": url }))
        .await
        .expect(200);
    for number in 0..10 {
        operator.account(&format!("another {number}")).await;
    }
    seen.clears(&world, WEBHOOKS).await;
    serving.abort();
    seen.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_wait_for_the_database_use_up_the_budget() {
    let world = World::start(&[&[], &[]]).await;
    let mut seen = Seen::quiet(&world, &SLOW).await;
    let operator = world.apis[0].operator();
    let account = operator.account("shop").await;
    let made = operator.issue(&account, json!({})).await;
    let known = made["token"].as_str().unwrap().to_owned();
    world.apis[1]
        .bearer(&known)
        .get("/v1/forward-auth")
        .await
        .expect(200);
    // The other node does not know a token that is new and must look, while somebody holds the table.
    let slow = async {
        let mut holder = sqlx::PgConnection::connect(&world.stack.database.url)
            .await
            .unwrap();
        loop {
            let made = operator.issue(&account, json!({})).await;
            let mut held = holder.begin().await.unwrap();
            sqlx::query("lock table api_token_secrets in access exclusive mode")
                .execute(&mut *held)
                .await
                .unwrap();
            let caller = world.apis[1].bearer(made["token"].as_str().unwrap());
            let release = async {
                tokio::time::sleep(A_WHILE).await;
                held.commit().await.unwrap();
            };
            let (answer, ()) = tokio::join!(caller.get("/v1/forward-auth"), release);
            answer.expect(200);
        }
    };
    let fire = async {
        for alert in SLOW {
            seen.fires(&world, alert).await;
        }
    };
    tokio::select! {
        () = slow => {}
        () = fire => {}
    }
    // What it remembers it need not look for.
    let calling = calls(world.apis[1].bearer(&known), "/v1/forward-auth", 1);
    for alert in SLOW {
        seen.clears(&world, alert).await;
    }
    calling.stop().await;
    seen.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_without_a_free_connection_is_told() {
    let world = World::start(&[&[]]).await;
    let mut seen = Seen::quiet(&world, &[POOL]).await;
    let mut holder = sqlx::PgConnection::connect(&world.stack.database.url)
        .await
        .unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("lock table api_tokens in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let calling = calls(world.apis[0].operator(), "/v1/tokens", 24);
    seen.fires(&world, POOL).await;
    held.rollback().await.unwrap();
    calling.stop().await;
    seen.clears(&world, POOL).await;
    seen.end();
}

/// Somebody who asks the same thing again and again.
struct Calling {
    stop: Arc<AtomicBool>,
    tasks: tokio::task::JoinSet<()>,
}

fn calls(person: Person, path: &'static str, clients: usize) -> Calling {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (person, stop) = (person.clone(), Arc::clone(&stop));
        tasks.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let _whatever = person.try_get(path).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    Calling { stop, tasks }
}

impl Calling {
    async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
    }
}
