//! The fault matrix: programs are killed, servers restored from old copies and networks cut at random
//! moments under continuous load, and in the end every answered request is counted once.
//!
//! The short form has each fault strike once. `cargo xtask faults` strikes with two at a time, for as many
//! rounds as it is told, from a seed that it prints.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod fault;
mod world;

use common::clients::Clients;
use common::{Plan, say};
use fault::Fault;
use world::World;

/// How many requests are answered between two steps.
const STEP: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_counted_once_whatever_fails() {
    let Plan {
        seed,
        rounds,
        mut random,
    } = Plan::read();
    let rounds = match rounds {
        Some(rounds) => (0..rounds).map(|_| Fault::pair(&mut random)).collect(),
        None => Fault::each_once(&mut random),
    };
    let mut world = World::start().await;
    let operator = world.apis[0].operator();
    let clients = Clients::start(&operator, world.apis.iter().map(|api| api.public)).await;
    clients.answered(STEP).await;
    let mut table = vec![format!("seed {seed}")];
    for faults in rounds {
        let before = clients.seen();
        for &fault in &faults {
            fault.strike(&mut world, &mut random).await;
        }
        clients.answered(STEP).await;
        for &fault in faults.iter().rev() {
            fault.mend(&mut world).await;
        }
        world.ready().await;
        clients.answered(STEP).await;
        let seen = clients.seen().since(before);
        table.push(format!("{:<44} {seen}", format!("{faults:?}")));
    }
    let seen = clients.stop().await;
    table.push(world.court().await.counted_once(&seen).await);
    say(&table.join("\n"));
}
