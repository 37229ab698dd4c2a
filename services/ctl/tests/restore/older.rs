//! Usage that is older than what spools still hold.

use std::thread::available_parallelism;

use serde_json::Value;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use crate::commands::as_administrator;
use crate::shop::Token;

const CALLS: u64 = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_spools_do_not_hold_any_more_is_told_as_dropped() {
    let mut stack = Stack::with_own_server().await;
    // Segments of 64 KiB, so that a few hundred calls fill one.
    let lanes = available_parallelism().unwrap().get();
    let room = (lanes * (512 << 10)).to_string();
    let api = stack.api(&[("TOLLKEEPER_SPOOL_BYTES", &room)]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let used = Token::issue(&operator, &account).await;
    as_administrator(&mut stack, "Take a dump.", "").await;
    used.pass(&api, usize::try_from(CALLS).unwrap()).await;
    used.counted(&api, CALLS).await;
    assert_eq!(dropped(&api).await, 0);

    as_administrator(&mut stack, "Restore the dump.", "").await;
    as_administrator(&mut stack, "Put it in the place of the other.", "").await;
    wait_for("all to be counted or told as dropped", async || {
        counted(&api, &used).await + dropped(&api).await == CALLS
    })
    .await;
    let (counted, dropped) = (counted(&api, &used).await, dropped(&api).await);
    assert!(
        counted > 0 && dropped > 0,
        "{counted} counted, {dropped} dropped"
    );
    assert_eq!(counted + dropped, CALLS);
    say(&format!(
        "{CALLS} calls, {counted} counted again, {dropped} told as dropped"
    ));
}

async fn counted(api: &Node, token: &Token) -> u64 {
    let answer = api.operator().get(&token.path("")).await;
    match answer.status {
        200 => answer.json()["usage_count"].as_u64().unwrap(),
        // The database is being exchanged.
        _ => 0,
    }
}

/// What completeness says is dropped.
async fn dropped(api: &Node) -> u64 {
    let told = api.operator().get("/v1/usage/completeness?limit=200").await;
    if told.status != 200 {
        return 0;
    }
    let told: Value = told.json();
    let items = told["items"].as_array().unwrap().iter();
    items.map(|it| it["dropped"].as_u64().unwrap()).sum()
}

/// Prints to the person who looks.
#[allow(clippy::print_stdout, reason = "the sum is what the test is for")]
fn say(line: &str) {
    println!("{line}");
}
