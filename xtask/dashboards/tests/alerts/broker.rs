//! Without the broker.

use std::thread;

use tollkeeper_dashboards::traffic::Traffic;
use tollkeeper_dashboards::world::World;

use crate::Seen;

const ALERTS: [&str; 5] = [
    "TollkeeperSpoolFilling",
    "TollkeeperUsageRefused",
    "TollkeeperUsageDropped",
    "TollkeeperUsageWaiting",
    "TollkeeperRelayBehind",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_the_broker_spools_fill_up_and_events_wait() {
    let lanes = thread::available_parallelism().map_or(4, usize::from);
    let bytes = (lanes * 128 * 1024).to_string();
    let small = ("TOLLKEEPER_SPOOL_BYTES", bytes.as_str());
    let drops = [small, ("TOLLKEEPER_SPOOL_FULL", "drop")];
    let refuses = [small, ("TOLLKEEPER_SPOOL_FULL", "refuse")];
    let world = World::start(&[&drops, &refuses]).await;
    let traffic = Traffic::start(&world.apis).await;
    let mut seen = Seen::quiet(&world, &ALERTS).await;
    world.to_broker.cut();
    for alert in ALERTS {
        seen.fires(&world, alert).await;
    }
    world.to_broker.resume();
    for alert in ALERTS {
        seen.clears(&world, alert).await;
    }
    traffic.stop().await;
    seen.end();
}
