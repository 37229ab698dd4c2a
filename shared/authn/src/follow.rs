//! Following the log: what makes the proof move.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::counters::Count;
use crate::engine::Engine;
use crate::feed::LogHead;
use crate::heard::Way;
use crate::source::{Attendance, SourceError};
use crate::time::Moment;

/// Events read at once.
const PAGE: usize = 1_000;

/// Further behind than this, forgetting everything is cheaper than catching up: tokens in use are
/// read again within moments.
const MOST_TO_CATCH_UP: u64 = 50_000;

/// How often one pass looks again, as long as there is something new to tell.
const MOST_ROUNDS: usize = 3;

/// The longest one reading of the log may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

impl Engine {
    /// Moves the proof on, again and again, until `stop` is called. From then on there are no
    /// answers.
    pub(crate) async fn follow(&self, stop: CancellationToken) {
        let mut ticks = interval(self.config.proof_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
                () = self.suspicion.notified() => {}
            }
            let now = Moment::now(&*self.clock);
            self.store
                .buckets
                .tidy(self.store.buckets.ticks(now.boot_nanos));
            let proven = self.prove().await;
            let read = match &proven {
                Ok(()) => Count::HeadRead,
                Err(_) => Count::HeadFailed,
            };
            self.counters.add(read, 1);
            match proven {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("the log can be read again");
                }
                Ok(()) => {}
                // Said once, not twice a second.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "the log cannot be read; the proof grows old");
                }
                Err(_) => {}
            }
        }
        self.proof.clear();
        // Otherwise it is waited for until its time is over.
        if let Err(error) = timeout(TIME_LIMIT, self.source.leave())
            .await
            .unwrap_or(Err(SourceError::TimedOut))
        {
            tracing::debug!(%error, "the node could not say that it stops");
        }
    }

    /// Reads the log up to its head and moves the proof to the moment before it was asked.
    ///
    /// [`Engine::run`] does this all the time; it is public for a node that wants its first proof
    /// before it serves.
    ///
    /// # Errors
    /// [`SourceError`] if the log cannot be read or contradicts itself; the proof stays.
    pub async fn prove(&self) -> Result<(), SourceError> {
        let _one_at_a_time = self.proving.lock().await;
        if self.was_given_up() {
            // Receipts may have passed over this node until it attended again: only a head that is read
            // after that is sure to hold what they were about.
            let attendance = self.attendance(self.store.applied());
            in_time(self.source.attend(attendance)).await?;
        }
        for _ in 0..MOST_ROUNDS {
            let told = self.store.applied();
            self.prove_once(told).await?;
            // Whoever waits for this node to have applied something is told at once.
            if self.store.applied() == told {
                break;
            }
        }
        Ok(())
    }

    /// Tells that `applied` is applied, and proves what is by then.
    async fn prove_once(&self, applied: Option<LogHead>) -> Result<(), SourceError> {
        let asked_at = Moment::now(&*self.clock);
        let head = in_time(self.source.attend(self.attendance(applied))).await?;
        let same_history = match applied {
            None => false,
            Some(applied) if head.generation != applied.generation => false,
            Some(applied) if head.position == applied.position => head.hash == applied.hash,
            Some(applied) if head.position < applied.position => false,
            Some(applied) if head.position - applied.position > MOST_TO_CATCH_UP => false,
            Some(applied) => self.catch_up(applied, head).await?,
        };
        if !same_history {
            if applied.is_some() {
                tracing::warn!(
                    position = head.position,
                    "starting over from the log's head"
                );
                self.counters.add(Count::Restart, 1);
            }
            self.store.restart(head);
        }
        self.proof.set(asked_at);
        Ok(())
    }

    fn attendance(&self, applied: Option<LogHead>) -> Attendance {
        Attendance {
            applied,
            valid_for: self.rule.valid_for(),
        }
    }

    /// Whether the time is over for which this node said, with its last proof, that it may answer.
    fn was_given_up(&self) -> bool {
        let now = Moment::now(&*self.clock);
        let last = self.rule.valid_for().zip(self.proof.get());
        last.is_some_and(|(time, proven)| now.since(proven) >= time)
    }

    /// Applies the events between `applied` and `head`. Each page begins with the event applied
    /// last, whose hash tells whether this is still the same history; `false` if it is not.
    async fn catch_up(&self, mut applied: LogHead, head: LogHead) -> Result<bool, SourceError> {
        while applied.position < head.position {
            let overlap = u64::from(applied.position > 0);
            let from = applied.position - overlap;
            let page = in_time(self.source.events_after(from, PAGE)).await?;
            let mut page = page.into_iter();
            if overlap == 1 {
                match page.next() {
                    Some(last) if last.event.position != applied.position => {
                        return Err(SourceError::Corrupt("the log has a gap"));
                    }
                    Some(last) if last.hash == applied.hash => {}
                    Some(_) | None => return Ok(false),
                }
            }
            let before = applied.position;
            for logged in page {
                if logged.event.position != applied.position + 1 {
                    return Err(SourceError::Corrupt("the log has a gap"));
                }
                applied = LogHead {
                    position: logged.event.position,
                    hash: logged.hash,
                    ..applied
                };
                if applied.position == head.position && applied.hash != head.hash {
                    return Ok(false);
                }
                self.store.apply(&logged.event, applied);
                let (position, now) = (applied.position, self.clock.wall_micros());
                self.heard.tell(&logged.event, Way::Log, position, now);
                if logged.hides_secrets {
                    self.store.doubt_absences();
                }
            }
            if applied.position == before {
                return Err(SourceError::Corrupt("the log ends before its head"));
            }
        }
        Ok(true)
    }
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    timeout(TIME_LIMIT, answer)
        .await
        .unwrap_or(Err(SourceError::TimedOut))
}
