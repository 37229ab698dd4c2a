//! The public keys of the issuer of account JWTs, kept in memory and brought up to date by a task of
//! their own. Knows nothing of HTTP handlers; a request that comes with an unknown `kid` can at most
//! ask the task to look again, and waits for that no longer than a few seconds.

mod origin;
mod set;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
pub use origin::CannotLoad;
use origin::{Origin, Stamp};
pub use set::BadSet;
pub(crate) use set::KeySet;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::SharedClock;
use tollkeeper_runtime::settings::JwksSource;

/// How long the last good set goes on working while its source cannot be read.
const GOOD_FOR: Duration = Duration::from_secs(6 * 60 * 60);

/// How often a file is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// How often a URL is fetched whose answer does not say how long it may be kept, and the bounds of
/// what it may say: a key that was taken away must not work for days.
const REFETCH: Duration = Duration::from_secs(5 * 60);
const REFETCH_AT_LEAST: Duration = Duration::from_secs(60);
const REFETCH_AT_MOST: Duration = Duration::from_secs(60 * 60);

/// How soon a URL that could not be fetched is tried again.
const RETRY: Duration = Duration::from_secs(15);

/// The least time between two fetches, whoever asks: names of keys cost nothing to invent.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest that a request waits for the source to be read again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The set has no such key, or it is not for this algorithm.
    Unknown,
    /// There is no set, or none that is young enough.
    Unavailable,
}

/// What is known of the source. Times are those since boot.
#[derive(Clone, Default)]
struct Known {
    set: Option<Arc<KeySet>>,
    /// When the source last was as `set` says.
    good_at: Duration,
    /// Whether the source could not be read the last time.
    failing: bool,
    /// How often somebody began to read it, and how often that ended.
    begun: u64,
    ended: u64,
    ended_at: Option<Duration>,
}

/// The keys, and the task that keeps them.
pub struct Keys {
    origin: Origin,
    clock: SharedClock,
    known: watch::Sender<Known>,
    wanted: Notify,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys from `source`. A file is read at once; a URL by [`Keys::run`], because an issuer that
    /// is away must not keep the API from starting.
    ///
    /// # Errors
    /// [`CannotLoad`] if the file holds no usable key, or no HTTP client can be made.
    pub fn new(source: JwksSource, clock: SharedClock) -> Result<Self, CannotLoad> {
        let keys = Self {
            origin: Origin::new(source)?,
            clock,
            known: watch::Sender::new(Known::default()),
            wanted: Notify::new(),
        };
        if let Origin::File(path) = &keys.origin {
            let set = origin::read(path)?;
            keys.begin();
            keys.end(Ok(Some(set)));
        }
        Ok(keys)
    }

    /// The key of this name for this algorithm. Has the source read again where it does not know
    /// the name, at most once in a while.
    pub(crate) async fn find(&self, kid: &str, algorithm: Algorithm) -> Result<DecodingKey, NoKey> {
        let mut watched = self.known.subscribe();
        let known = watched.borrow_and_update().clone();
        let names = known.set.as_ref().is_some_and(|set| set.names(kid));
        if (names && self.is_good(&known)) || !self.may_look_again(&known) {
            return self.look(&known, kid, algorithm);
        }
        self.wanted.notify_one();
        let newer = watched.wait_for(|it| it.ended > known.ended);
        let known = match tokio::time::timeout(PATIENCE, newer).await {
            Ok(Ok(newer)) => newer.clone(),
            Ok(Err(_)) | Err(_) => known,
        };
        self.look(&known, kid, algorithm)
    }

    fn look(&self, known: &Known, kid: &str, algorithm: Algorithm) -> Result<DecodingKey, NoKey> {
        let good = known.set.as_ref().filter(|_| self.is_good(known));
        let set = good.ok_or(NoKey::Unavailable)?;
        set.find(kid, algorithm).cloned().ok_or(NoKey::Unknown)
    }

    fn is_good(&self, known: &Known) -> bool {
        self.clock.boot_time().saturating_sub(known.good_at) < GOOD_FOR
    }

    /// Whether reading the source again may give another answer than the last time: it is being
    /// read right now, or was not for a while.
    fn may_look_again(&self, known: &Known) -> bool {
        let rested = |at| self.clock.boot_time().saturating_sub(at) >= PAUSE;
        known.begun > known.ended || known.ended_at.is_none_or(rested)
    }

    /// Keeps the keys up to date until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut wait = Duration::ZERO;
        let mut seen = None;
        while self.next(wait, &stop).await {
            self.begin();
            wait = match &self.origin {
                Origin::File(path) => {
                    self.end(glance(path, &mut seen));
                    GLANCE
                }
                Origin::Url(url, client) => tokio::select! {
                    fetched = origin::fetch(client, url) => self.take(fetched),
                    () = stop.cancelled() => return,
                },
            };
        }
    }

    /// Waits until the source is to be read: after `wait`, or when somebody asks. Tells whether to
    /// go on.
    async fn next(&self, wait: Duration, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
            () = self.asked() => true,
        }
    }

    /// Returns when somebody asks and may be heard.
    async fn asked(&self) {
        loop {
            self.wanted.notified().await;
            // Those who asked while it was being read have their answer.
            if self.may_look_again(&self.known.borrow()) {
                return;
            }
        }
    }

    fn begin(&self) {
        self.known.send_modify(|known| known.begun += 1);
    }

    /// Takes what was fetched, and tells when to fetch again.
    fn take(&self, fetched: Result<(KeySet, Option<Duration>), CannotLoad>) -> Duration {
        match fetched {
            Ok((set, fresh)) => {
                self.end(Ok(Some(set)));
                let fresh = fresh.unwrap_or(REFETCH);
                fresh.clamp(REFETCH_AT_LEAST, REFETCH_AT_MOST)
            }
            Err(error) => {
                self.end(Err(error));
                RETRY
            }
        }
    }

    /// Takes what was read: a set, or that nothing has changed.
    fn end(&self, read: Result<Option<KeySet>, CannotLoad>) {
        let now = self.clock.boot_time();
        self.known.send_modify(|known| {
            known.ended += 1;
            known.ended_at = Some(now);
            match read {
                Ok(set) => {
                    known.good_at = now;
                    known.failing = false;
                    if let Some(set) = set {
                        tell(known.set.as_deref(), &set);
                        known.set = Some(Arc::new(set));
                    }
                }
                Err(error) => {
                    if !known.failing {
                        tracing::warn!(%error, "the keys of JWTs cannot be read again");
                    }
                    known.failing = true;
                }
            }
        });
    }
}

/// Reads the file if it is not as it was.
fn glance(path: &Path, seen: &mut Option<Stamp>) -> Result<Option<KeySet>, CannotLoad> {
    // The state is taken before the content: a change in between is found the next time.
    let stamp = origin::stamp(path)?;
    if *seen == Some(stamp) {
        return Ok(None);
    }
    *seen = None;
    let set = origin::read(path)?;
    *seen = Some(stamp);
    Ok(Some(set))
}

/// Says what has changed.
fn tell(before: Option<&KeySet>, now: &KeySet) {
    if before.is_some_and(|before| before.same_as(now)) {
        return;
    }
    tracing::info!(usable = now.len(), "the keys of JWTs are read");
    for (number, why) in &now.left_out {
        tracing::warn!(number, %why, "a key of the set is left out");
    }
}

#[cfg(test)]
mod tests;
