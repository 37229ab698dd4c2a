//! Turns at one token or account within this process.
//!
//! Of many who load the same history and decide on it, only one can append. Without turns the
//! others would load and decide again, and most of them again in vain. Turns are a courtesy and no
//! guarantee: other processes know nothing of them, and the log alone decides who was first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tollkeeper_domain::event::Stream;

use super::CommandError;

/// The longest wait for a turn; well within what a request may take.
const PATIENCE: Duration = Duration::from_secs(5);

type Waiting = Mutex<HashMap<Stream, Arc<tokio::sync::Mutex<()>>>>;

/// Who may go next, for every token and account that somebody is changing.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Waiting>);

/// The right to go now.
#[derive(Debug)]
pub(super) struct Turn {
    all: Arc<Waiting>,
    stream: Stream,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn at `stream`, in the order of arrival.
    ///
    /// # Errors
    /// [`CommandError::Busy`] if it does not come in time.
    pub(super) async fn take(&self, stream: Stream) -> Result<Turn, CommandError> {
        let queue = Arc::clone(self.0.lock().entry(stream).or_default());
        // Made before the wait: whoever gives up tidies away as well.
        let mut turn = Turn {
            all: Arc::clone(&self.0),
            stream,
            held: None,
        };
        let held = tokio::time::timeout(PATIENCE, queue.lock_owned()).await;
        turn.held = Some(held.map_err(|_| CommandError::Busy)?);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        self.held = None;
        // Under the lock nobody new comes, and those who wait hold a reference of their own.
        if let Entry::Occupied(queue) = all.entry(self.stream)
            && Arc::strong_count(queue.get()) == 1
        {
            queue.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use tollkeeper_domain::ids::TokenId;
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_goes_at_a_time_and_nothing_is_left_behind() {
        let turns = Turns::default();
        let (one, other) = (
            Stream::Token(TokenId(Uuid::from_u128(1))),
            Stream::Token(TokenId(Uuid::from_u128(2))),
        );
        let first = turns.take(one).await.unwrap();
        let elsewhere = turns.take(other).await.unwrap();
        let late = turns.take(one).await;
        assert!(matches!(late, Err(CommandError::Busy)));
        assert_eq!(turns.0.lock().len(), 2);
        drop(elsewhere);
        let (second, ()) = tokio::join!(turns.take(one), async { drop(first) });
        assert_eq!(turns.0.lock().len(), 1);
        drop(second.unwrap());
        assert!(turns.0.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_while_waiting_leaves_nothing_behind() {
        let turns = Turns::default();
        let stream = Stream::Token(TokenId(Uuid::from_u128(1)));
        let first = turns.take(stream).await.unwrap();
        let gone = tokio::time::timeout(Duration::from_secs(1), turns.take(stream)).await;
        assert!(gone.is_err());
        drop(first);
        assert!(turns.0.lock().is_empty());
    }
}
