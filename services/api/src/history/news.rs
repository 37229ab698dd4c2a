//! Tells those who wait for the log to go on what it goes on with. One task of the process reads
//! what new events are about, however many wait; those whose filter wants none of them are not
//! woken, and ask the database nothing.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, broadcast};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tollkeeper_authn::Engine;
use tollkeeper_event_store::{FeedFilter, Mark, ReadError, head, marks};

use super::places::{Full, Holder, Place, Places};

/// Between two looks at the database, of the task or of one who waits.
pub(crate) const PACE: Duration = Duration::from_millis(200);

/// How often it is looked at how far the engine has come, which hears of other processes.
const GLANCE: Duration = Duration::from_millis(200);

/// A read that takes longer is made again.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many events one batch tells apart. Of more, those who wait look for themselves.
const MOST_TOLD: i64 = 5_000;

/// How many batches are kept for those who are busy reading.
const BATCHES: usize = 16;

/// How many of those who wait may read at once: they leave connections to the others.
const READERS: usize = 4;

/// What the log goes on with.
#[derive(Debug)]
pub struct News {
    batches: broadcast::Sender<Arc<Batch>>,
    /// Somebody has committed something, or begun to wait.
    due: Notify,
    places: Places,
    turns: Semaphore,
    stopping: CancellationToken,
}

impl News {
    /// News until `stopping`, when nobody waits any longer.
    #[must_use]
    pub fn new(stopping: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            batches: broadcast::Sender::new(BATCHES),
            due: Notify::new(),
            places: Places::default(),
            turns: Semaphore::new(READERS),
            stopping,
        })
    }

    /// This process has committed something.
    pub(crate) fn committed(&self) {
        self.due.notify_one();
    }

    /// Begins to listen. What is committed from now on is heard of; what was committed since the
    /// listener's last look shows as a gap before the first batch, which comes in any case.
    pub(crate) fn listen(&self, holder: Holder) -> Result<Listener<'_>, Full> {
        let listener = Listener {
            _place: self.places.take(holder)?,
            batches: self.batches.subscribe(),
        };
        self.due.notify_one();
        Ok(listener)
    }

    /// A turn to read, of those who have waited.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// Returns when nobody should wait any longer.
    pub(crate) async fn over(&self) {
        self.stopping.cancelled().await;
    }

    fn tell(&self, batch: Batch) {
        // Whoever listened may be gone.
        let _heard_by = self.batches.send(Arc::new(batch));
    }
}

/// Somebody who waits.
#[derive(Debug)]
pub(crate) struct Listener<'a> {
    _place: Place<'a>,
    batches: broadcast::Receiver<Arc<Batch>>,
}

impl Listener<'_> {
    /// Returns when there may be something that the filter wants, and moves its `after` past what
    /// it does not want. Nothing is lost if the future is dropped.
    pub(crate) async fn news(&mut self, filter: &mut FeedFilter) {
        // An error says that batches were missed.
        while let Ok(batch) = self.batches.recv().await {
            if batch.concerns(filter) {
                return;
            }
            filter.after = filter.after.max(batch.until);
        }
    }
}

/// What events after one position and up to another are about.
#[derive(Debug)]
struct Batch {
    after: i64,
    until: i64,
    /// The log ends before what was told of it: it was restored from an older copy.
    fell_back: bool,
    marks: Vec<Mark>,
}

impl Batch {
    /// The next batch, its marks still to be read: from where the last one ended, if there was one,
    /// to the end of the log.
    fn next(last: Option<i64>, head: i64) -> Self {
        let last = last.unwrap_or(head);
        Self {
            after: last.clamp(head - MOST_TOLD, head),
            until: head,
            fell_back: last > head,
            marks: Vec::new(),
        }
    }

    /// Whether one who wants this has to look.
    fn concerns(&self, filter: &FeedFilter) -> bool {
        if self.fell_back {
            return filter.after != self.until;
        }
        let gap = filter.after < self.after;
        gap || self.marks.iter().any(|mark| filter.wants(mark))
    }
}

/// Tells those who wait until `stop`. While nobody does, the log is not read.
pub async fn watch(engine: Arc<Engine>, pool: PgPool, news: Arc<News>, stop: CancellationToken) {
    let _stopped = stop
        .run_until_cancelled(tell_all(&engine, &pool, &news))
        .await;
}

async fn tell_all(engine: &Engine, pool: &PgPool, news: &News) {
    let (mut told, mut applied, mut due) = (None, None, false);
    loop {
        tokio::select! {
            () = news.due.notified() => due = true,
            () = sleep(GLANCE) => {}
        }
        if news.batches.receiver_count() == 0 {
            told = None;
            continue;
        }
        let position = engine.status().applied_position;
        due |= position != applied;
        applied = position;
        if !due {
            continue;
        }
        match timeout(PATIENCE, read(pool, told)).await {
            Ok(Ok(batch)) => {
                told = Some(batch.until);
                due = false;
                news.tell(batch);
            }
            // That the database is away is told elsewhere.
            Ok(Err(error)) => tracing::debug!(%error, "what is new cannot be read"),
            Err(_) => tracing::debug!("what is new cannot be read in time"),
        }
        sleep(PACE).await;
    }
}

async fn read(pool: &PgPool, told: Option<i64>) -> Result<Batch, ReadError> {
    let mut batch = Batch::next(told, head(pool).await?.position);
    if batch.after < batch.until {
        batch.marks = marks(pool, (batch.after, batch.until)).await?;
    }
    Ok(batch)
}
