//! Ends connections that are silent: one look at all of them now and then. A timer of each connection's
//! own would be asked about at each of its requests.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::patience::{Patience, Pulse};

/// Between two looks at the connections. Hyper has a limit of its own for the reading of headers, which
/// sets up a timer for each request: a look now and then costs the hot path nothing.
const LOOK: Duration = Duration::from_secs(5);

/// The part of the places that must be free, lest those who are silent lose theirs.
const ENOUGH_FREE: usize = 8;

/// Watches over the connections of a listener.
pub(super) struct Watch {
    connections: Mutex<Slab<Watched>>,
    places: Arc<Semaphore>,
    /// How many places must be free.
    enough: usize,
}

struct Watched {
    pulse: Arc<Pulse>,
    patience: Patience,
    /// Ends its task, once that is known.
    task: Option<AbortHandle>,
}

/// A connection that is watched over until this is dropped.
pub(super) struct Watching {
    watch: Arc<Watch>,
    key: usize,
}

impl Watch {
    /// Over the connections that take `places`, of which there are `most`.
    pub(super) fn new(places: Arc<Semaphore>, most: usize) -> Arc<Self> {
        Arc::new(Self {
            connections: Mutex::default(),
            places,
            enough: most / ENOUGH_FREE,
        })
    }

    /// Runs a connection in a task of its own, for as long as it is not silent for too long. `connection`
    /// is to hold what it is given until it ends.
    pub(super) fn run<F>(
        self: &Arc<Self>,
        pulse: Arc<Pulse>,
        connection: impl FnOnce(Watching) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let key = self.connections.lock().insert(Watched {
            pulse: pulse.clone(),
            patience: Patience::default(),
            task: None,
        });
        let watching = Watching {
            watch: self.clone(),
            key,
        };
        let task = tokio::spawn(connection(watching)).abort_handle();
        // It may have ended by now, and another taken its key.
        if let Some(watched) = self.connections.lock().get_mut(key)
            && Arc::ptr_eq(&watched.pulse, &pulse)
        {
            watched.task = Some(task);
        }
    }

    /// Looks for as long as it is polled.
    pub(super) async fn look_again_and_again(self: Arc<Self>) {
        let mut looks = interval(LOOK);
        // A process that was frozen must not take its own silence for that of clients.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            for task in self.look() {
                task.abort();
            }
        }
    }

    /// Looks once, and tells who is to be ended.
    fn look(&self) -> Vec<AbortHandle> {
        let mut lacking = self.enough.saturating_sub(self.places.available_permits());
        let mut over = Vec::new();
        for (_, watched) in self.connections.lock().iter_mut() {
            if watched.patience.is_over(watched.pulse.beat(), lacking > 0) {
                lacking = lacking.saturating_sub(1);
                over.extend(watched.task.clone());
            }
        }
        over
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watch.connections.lock().try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Runs a connection that has no end of its own, and holds a place.
    fn silent(watch: &Arc<Watch>) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse::default());
        let place = watch.places.clone().try_acquire_owned().expect("a place");
        watch.run(pulse.clone(), |watching| async move {
            pending::<()>().await;
            drop((place, watching));
        });
        pulse
    }

    fn watch(most: usize) -> Arc<Watch> {
        Watch::new(Arc::new(Semaphore::new(most)), most)
    }

    fn asks(pulse: &Pulse) {
        pulse.begin();
        pulse.end();
    }

    #[tokio::test]
    async fn where_places_are_few_no_more_are_ended_than_are_lacking() {
        let watch = watch(16);
        let pulses: Vec<_> = (0..15).map(|_| silent(&watch)).collect();
        assert!(watch.look().is_empty(), "the first look is none at silence");
        // Two should be free, and one is.
        asks(&pulses[0]);
        let ended = watch.look();
        assert_eq!(ended.len(), 1);
        ended[0].abort();
        while watch.places.available_permits() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(watch.look().is_empty());
        assert_eq!(watch.connections.lock().len(), 14);
    }

    #[tokio::test]
    async fn who_ends_is_looked_at_no_more() {
        let watch = watch(16);
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        watch.run(Arc::default(), |watching| async move {
            let _ = end.await;
            drop(watching);
        });
        let stays = silent(&watch);
        drop(ended);
        while watch.connections.lock().len() > 1 {
            tokio::task::yield_now().await;
        }
        // Its place among the watched is taken by another, which is not ended for it.
        let comes = silent(&watch);
        for _ in 0..100 {
            asks(&stays);
            asks(&comes);
            assert!(watch.look().is_empty());
        }
    }
}
