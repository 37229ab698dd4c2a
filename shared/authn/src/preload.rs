//! The warm start: tokens that were used last, read before anybody asks for them.
//!
//! They are read as misses are and by the same rules, so that what is heard meanwhile overtakes them
//! in the same way. One look-up at a time, so that misses always find the others free.

use std::time::Duration;

use tokio::time::sleep;

use crate::engine::Engine;
use crate::flights::{Outcome, Wanted};
use crate::source::SourceError;

/// Between two looks for the first proof.
const PAUSE: Duration = Duration::from_millis(20);

impl Engine {
    /// Waits for the first proof.
    pub async fn proven(&self) {
        while self.proof.get().is_none() {
            sleep(PAUSE).await;
        }
    }

    /// Reads up to `most` of the tokens that were used last, the last one first, as far as memory
    /// has room without pushing any out. Gives how many it came to know.
    ///
    /// To be called after [`Engine::proven`], as the first proof begins with empty memory. It sets
    /// itself no time limit and can be given up at any point.
    ///
    /// # Errors
    /// [`SourceError`] if it cannot be told which they are, or a look-up fails.
    pub async fn preload(&self, most: usize) -> Result<usize, SourceError> {
        let digests = self.source.recently_used(most).await?;
        let mut known = 0;
        for part in digests.chunks(self.config.fill.batch) {
            if !self.store.has_room_for(part.len()) {
                break;
            }
            let wanted = part.iter().map(|digest| Wanted {
                digest: *digest,
                fresh: false,
                doubtful: false,
            });
            for read in self.flights.join_all(wanted) {
                let Ok(read) = read else {
                    // Misses want all the room there is, and come first.
                    continue;
                };
                match read.await {
                    Ok(Outcome::Token(..)) => known += 1,
                    Ok(Outcome::NoToken(_)) => {}
                    Ok(Outcome::Failed) | Err(_) => return Err(SourceError::NotRead),
                }
            }
        }
        Ok(known)
    }
}
