//! Tells of tokens that are about to expire; see `Commands::announce_expiries`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{CHUNK, in_turn};
use crate::app::App;

/// How often the database is asked for tokens that are due: a notice may be this late.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells of expiries until `stop`. Faults are logged and tried again.
pub async fn run(app: App, stop: CancellationToken) {
    let step = async || Ok(app.commands.announce_expiries(CHUNK).await?);
    in_turn(&app.pool, "expiry-notices", PAUSE, stop, step).await;
}
