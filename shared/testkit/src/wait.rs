//! Waiting for a condition.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long after a look the next one is, at first and at last: looking takes time from whoever is waited for.
const GLANCES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];

/// Generous, because it only bounds how long a broken test hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Returns when `condition` holds.
///
/// # Panics
/// When it does not hold in time; the message names `what` was waited for.
pub async fn wait_for<F>(what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    wait_for_some(what, || {
        let holds = condition();
        async { holds.await.then_some(()) }
    })
    .await;
}

/// Returns the first value that `attempt` finds.
///
/// # Panics
/// When it finds none in time; the message names `what` was waited for.
pub async fn wait_for_some<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let search = async {
        let [mut glance, longest] = GLANCES;
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            sleep(glance).await;
            glance = longest.min(glance * 5 / 4);
        }
    };
    match timeout(DEADLINE, search).await {
        Ok(found) => found,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}
