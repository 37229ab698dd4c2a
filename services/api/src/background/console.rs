//! Removes what the console is done with: sessions, links, sign-ins and allowances that are over.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::in_turn;
use crate::app::App;
use crate::console::upkeep;

/// How often there is a look. What is over works no longer, removed or not.
const PAUSE: Duration = Duration::from_secs(60);

/// Removes until `stop`. Faults are logged and tried again.
pub async fn run(app: App, stop: CancellationToken) {
    let step = async || Ok(upkeep::forget(&app.pool, app.now()).await?);
    in_turn(&app.pool, "console-upkeep", PAUSE, stop, step).await;
}
