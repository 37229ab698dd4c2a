//! The fault matrix: programs are killed, servers restored from old copies and networks cut at random
//! moments under continuous load, and in the end every answered request is counted once.
//!
//! The short form has each fault strike once. `cargo xtask faults` strikes with two at a time, for as many
//! rounds as it is told, from a seed that it prints.

#![allow(clippy::unwrap_used, reason = "a test")]

mod clients;
mod fault;
mod verdict;
mod world;

use clients::Clients;
use fault::Fault;
use world::World;

/// How many requests are answered between two steps.
const STEP: u64 = 400;

/// Set by `cargo xtask faults`.
const SEED: &str = "TOLLKEEPER_FAULTS_SEED";
const ROUNDS: &str = "TOLLKEEPER_FAULTS_ROUNDS";

fn asked_for(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}: {value}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_counted_once_whatever_fails() {
    let seed = asked_for(SEED).unwrap_or(1);
    let mut random = fastrand::Rng::with_seed(seed);
    let rounds = match asked_for(ROUNDS) {
        Some(rounds) => (0..rounds).map(|_| Fault::pair(&mut random)).collect(),
        None => Fault::each_once(&mut random),
    };
    let mut world = World::start().await;
    let clients = Clients::start(&world).await;
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
    let difference = verdict::counted_once(&mut world, &seen).await;
    table.push(difference);
    world::say(&table.join("\n"));
}
