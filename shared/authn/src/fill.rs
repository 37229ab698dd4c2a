//! Reading the tokens that are not in memory: few look-ups at once, many digests in each.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;
use tollkeeper_domain::secret::SecretHash;

use crate::counters::Count;
use crate::engine::Engine;
use crate::flights::Outcome;
use crate::source::{Found, Lookup, SourceError};
use crate::store::Settled;
use crate::time::Moment;

impl Engine {
    /// One of the few workers that read. Ends when `stop` is called, after its read under way.
    pub(crate) async fn fill(&self, stop: CancellationToken) {
        loop {
            let asked = self.flights.take(self.config.fill.batch);
            if !asked.is_empty() {
                self.read(asked).await;
            } else {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.flights.wanted() => {}
                }
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    /// Reads some digests and hands out what came of it.
    async fn read(&self, asked: Vec<(SecretHash, u8)>) {
        let digests: Vec<SecretHash> = asked.iter().map(|(digest, _)| *digest).collect();
        // Both before the read is sent: what is heard from here on may be missing in it.
        let mark = self.store.begin_read();
        let read_at = Moment::now(&*self.clock);
        self.counters.add(Count::Lookup, 1);
        self.counters.add(Count::Digest, digests.len() as u64);

        let limit = self.config.fill.time_limit;
        let answer = async {
            let lookup = self.source.lookup(&digests).await?;
            let balances = self.balances_of(&lookup.found).await?;
            Ok((lookup, balances))
        };
        let answer = tokio::time::timeout(limit, answer)
            .await
            .unwrap_or(Err(SourceError::TimedOut));
        let found = match answer {
            // The primary lacks what it once had: another history. The proof decides what now.
            Ok((Lookup { head, .. }, _)) if head.position < mark.applied => {
                tracing::warn!(
                    head = head.position,
                    applied = mark.applied,
                    "a read found the log shorter than it was"
                );
                self.suspicion.notify_one();
                None
            }
            Ok((Lookup { found, .. }, balances)) => Some((found, balances)),
            Err(error) => {
                tracing::debug!(%error, digests = digests.len(), "tokens could not be read");
                None
            }
        };
        // The balances are held until the tokens hold them.
        let Some((found, _balances)) = found else {
            self.counters.add(Count::ReadFailed, digests.len() as u64);
            for digest in digests {
                self.flights.land(digest, &Outcome::Failed);
            }
            return;
        };

        let mut by_digest: HashMap<SecretHash, Found> = found
            .into_iter()
            .map(|found| (found.digest, found))
            .collect();
        let settled = self
            .store
            .settle(mark, &asked, read_at, |digest| by_digest.remove(digest));
        for (digest, settled) in digests.into_iter().zip(settled) {
            match settled {
                Settled::Token(entry) => {
                    self.flights.land(digest, &Outcome::Token(entry, read_at));
                }
                Settled::NoToken => self.flights.land(digest, &Outcome::NoToken(read_at)),
                Settled::Outdated => {
                    self.counters.add(Count::ReadRefused, 1);
                    self.flights.again(digest);
                }
            }
        }
    }
}
