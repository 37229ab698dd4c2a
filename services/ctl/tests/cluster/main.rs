//! Several machines on one: three NATS servers run from the shipped files, two ingestors and three APIs.
//! Servers are killed under load, the leaders first, and in the end every answered request is counted
//! once.
//!
//! The short form kills either leader once, and takes a server's disk away with it. `cargo xtask faults` kills more, two at a time, for as many
//! rounds as it is told.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../common/mod.rs"]
mod common;
mod fault;
mod moving;
mod replicas;
mod world;

use common::clients::Clients;
use common::{Plan, say};
use fault::Fault;
use serde_json::json;
use tollkeeper_testkit::{wait_for, wait_for_some};
use world::World;

/// How many requests are answered between two steps.
const STEP: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_counted_once_whichever_server_is_killed() {
    let Plan {
        seed,
        rounds,
        mut random,
    } = Plan::read();
    let is_short = rounds.is_none();
    let rounds: Vec<Vec<Fault>> = match rounds {
        Some(rounds) => (0..rounds).map(|_| Fault::pair(&mut random)).collect(),
        None => Fault::servers().into(),
    };
    let mut world = World::start().await;
    let operator = world.apis[0].operator();
    let clients = Clients::start(&operator, world.apis.iter().map(|api| api.public)).await;
    clients.answered(STEP).await;
    let mut table = vec![format!("seed {seed}, three NATS servers")];
    for faults in rounds {
        let before = clients.seen();
        for &fault in &faults {
            fault.strike(&mut world, &mut random).await;
        }
        // The two that are left go on by themselves.
        let counted = world.counted().await;
        clients.answered(STEP).await;
        wait_for("usage to be counted again", async || {
            world.counted().await > counted
        })
        .await;
        for &fault in faults.iter().rev() {
            fault.mend(&mut world).await;
        }
        world.ready().await;
        clients.answered(STEP).await;
        let seen = clients.seen().since(before);
        table.push(format!("{:<44} {seen}", format!("{faults:?}")));
    }
    wait_for("both ingestors to have counted", async || {
        world
            .counted_by_each()
            .await
            .iter()
            .all(|counted| *counted > 0)
    })
    .await;
    let seen = clients.stop().await;
    table.push(world.court().await.counted_once(&seen).await);
    if is_short {
        // Neither was killed, so they can tell of everything.
        let each = world.counted_by_each().await;
        assert_eq!(each.iter().sum::<u64>(), world.counted().await, "{each:?}");
        table.push(format!("counted by each ingestor: {each:?}"));
    }
    say(&table.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_reaches_every_api_while_a_server_is_down() {
    let mut world = World::start().await;
    let operator = world.apis[0].operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;
    let secret = token["token"].as_str().unwrap();
    for api in &world.apis {
        let caller = api.bearer(secret);
        caller.get("/v1/forward-auth").await.expect(200);
    }

    let down = world.stack.nats.leader_of("LIFECYCLE").await;
    world.stack.nats.server(&down).kill().await;
    let path = format!("/v1/tokens/{}?wait=applied", token["id"].as_str().unwrap());
    wait_for("every API to have applied it", async || {
        let receipt = operator.delete(&path).await.expect(200);
        let applied = receipt["applied"].as_array().unwrap().len();
        applied == world.apis.len() && receipt["pending"] == json!([])
    })
    .await;
    for api in &world.apis {
        let denied = api.bearer(secret).get("/v1/forward-auth").await;
        assert_eq!((denied.status, denied.code().as_str()), (401, "REVOKED"));
    }

    let broker = world.broker().await;
    let relayed = wait_for_some("the revocation to be relayed", async || {
        let log = broker.get_stream("LIFECYCLE").await.ok()?;
        let subject = "lifecycle.TokenRevoked";
        log.get_last_raw_message_by_subject(subject).await.ok()
    })
    .await;
    let event: serde_json::Value = serde_json::from_slice(&relayed.payload).unwrap();
    assert_eq!(event["stream_id"], token["id"], "{event}");
    world.stack.nats.server(&down).restart().await;
    world.stack.nats.whole("LIFECYCLE").await;
}
