//! Without the database.

use tollkeeper_dashboards::traffic::Traffic;
use tollkeeper_dashboards::world::World;

use crate::Seen;

const PENDING: &str = "TollkeeperConsumerPendingGrowing";
const LAG: &str = "TollkeeperIngestLag";
const OF_NODES: [&str; 4] = [
    "TollkeeperProofStale",
    "TollkeeperNotReady",
    "TollkeeperVerificationUnavailableBudgetFast",
    "TollkeeperVerificationUnavailableBudgetSlow",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_usage_piles_up_and_checks_get_no_verdict() {
    let stale_soon = [("TOLLKEEPER_STALE_LIMIT_SECONDS", "5")];
    let world = World::start(&[&stale_soon, &stale_soon]).await;
    let traffic = Traffic::start(&world.apis).await;
    let mut seen = Seen::quiet(&world, &[PENDING, LAG]).await;

    // The ingestor cannot count.
    world.ingestor_to_database.cut();
    seen.fires(&world, PENDING).await;
    world.ingestor_to_database.resume();
    seen.fires(&world, LAG).await;
    seen.clears(&world, PENDING).await;
    seen.clears(&world, LAG).await;

    // The nodes cannot know.
    world.to_database.cut();
    for alert in OF_NODES {
        seen.fires(&world, alert).await;
    }
    // They only seem to be gone.
    assert!(world.firing("TollkeeperLedgerGap").await.is_none());
    world.to_database.resume();
    for alert in OF_NODES {
        seen.clears(&world, alert).await;
    }
    traffic.stop().await;
    seen.end();
}
