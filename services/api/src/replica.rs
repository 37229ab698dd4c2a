//! The streaming replica that answers questions about usage: whether it is there and how far it is
//! behind. Verification and management never ask it.
//!
//! How far it is behind does not come from its clock, nor from when it last had something to replay, as
//! nobody can tell an idle primary from a cut connection by that. Each second it is noted up to where the
//! primary's log is; the replica is as old as the newest note that it has come to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::SharedClock;
use tollkeeper_read_model::standby::{self, Primary, Standby};
use tollkeeper_telemetry::usage::REPLICA_LAG;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most that it may be behind.
const MOST_BEHIND: Duration = Duration::from_secs(10);

/// The replica, and whether it is asked.
#[derive(Debug)]
pub struct Replica {
    /// Connections to it.
    pub pool: PgPool,
    /// Why it is not asked; none while it is.
    trouble: watch::Sender<Option<String>>,
}

impl Replica {
    /// A replica that nobody has looked at yet: it is not asked before.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        let trouble = watch::Sender::new(Some("nobody has looked at it yet".to_owned()));
        Self { pool, trouble }
    }

    /// Whether it is asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.trouble.borrow().is_none()
    }

    /// Returns when it is not asked any more.
    pub(crate) async fn given_up(&self) {
        let mut trouble = self.trouble.subscribe();
        // It lives as long as this borrow.
        let _ = trouble.wait_for(Option::is_some).await;
    }

    /// Asks it no more until it was looked at again.
    pub(crate) fn give_up(&self, why: String) {
        self.set(Some(why));
    }

    fn set(&self, now: Option<String>) {
        self.trouble.send_if_modified(|before| {
            match (before.is_some(), &now) {
                (false, Some(reason)) => {
                    tracing::warn!(%reason, "questions about usage go to the primary");
                }
                (true, None) => tracing::info!("questions about usage go to the replica"),
                _ => {}
            }
            let changed = before.is_some() != now.is_some();
            *before = now;
            changed
        });
    }
}

/// Watches the replica until `stop`.
pub async fn watch(
    replica: Arc<Replica>,
    primary: PgPool,
    clock: SharedClock,
    stop: CancellationToken,
) {
    let mut notes = Notes::default();
    let mut was_said = false;
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = look(&replica, &primary, &clock, &mut notes) => looked,
        };
        // What it is at the start is said too.
        if let (Err(reason), false) = (&looked, was_said) {
            tracing::warn!(%reason, "questions about usage go to the primary");
        }
        was_said = true;
        replica.set(looked.err());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Looks at both, and tells why the replica is not to be asked.
async fn look(
    replica: &Replica,
    primary: &PgPool,
    clock: &SharedClock,
    notes: &mut Notes,
) -> Result<(), String> {
    // Before the primary is asked: what was committed by then lies before the place that it tells.
    let at = clock.boot_time();
    let (primary, standby) = tokio::join!(
        in_time(standby::primary(primary)),
        in_time(standby::standby(&replica.pool)),
    );
    let standby = standby.map_err(|reason| format!("the replica is away: {reason}"))?;
    let primary = primary.map_err(|reason| format!("the primary is away: {reason}"))?;
    let now = clock.boot_time();
    let behind = notes.judge(at, now, &primary, &standby)?;
    REPLICA_LAG.handle().set(behind.as_secs_f64());
    if behind <= MOST_BEHIND {
        Ok(())
    } else {
        Err(format!("it is {} seconds behind", behind.as_secs()))
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

/// Up to where the primary's log was at which time since boot, from the oldest to the newest.
#[derive(Debug, Default)]
struct Notes(VecDeque<(Duration, i64)>);

impl Notes {
    /// Notes where the primary is, asked `at`, and tells how far the replica is behind `now`.
    fn judge(
        &mut self,
        at: Duration,
        now: Duration,
        primary: &Primary,
        standby: &Standby,
    ) -> Result<Duration, String> {
        if primary.identity != standby.identity {
            return Err("it is of another database".to_owned());
        }
        if !standby.follows {
            return Err("it is no replica, or was promoted".to_owned());
        }
        // A log that begins anew, after a failover, says nothing of what was noted before.
        self.0.retain(|(_, flushed)| *flushed <= primary.flushed);
        self.0.push_back((at, primary.flushed));
        // Of what it has come to, only the newest says how far it is.
        while let [_, (_, second), ..] = self.0.make_contiguous()
            && *second <= standby.replayed
        {
            self.0.pop_front();
        }
        // What is older than it may be need not be told apart.
        while let [(first, _), (second, _), ..] = self.0.make_contiguous()
            && now.saturating_sub(*second) > 2 * MOST_BEHIND
            && first < second
        {
            self.0.pop_front();
        }
        match self.0.front() {
            Some((noted, flushed)) if *flushed <= standby.replayed => {
                Ok(now.saturating_sub(*noted))
            }
            _ => Err("it has not come to where the primary was".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tollkeeper_read_model::standby::Identity;

    use super::*;

    fn identity() -> Identity {
        Identity {
            system: 7,
            database: "tollkeeper".to_owned(),
        }
    }

    fn primary(flushed: i64) -> Primary {
        Primary {
            identity: identity(),
            flushed,
        }
    }

    fn standby(replayed: i64) -> Standby {
        Standby {
            identity: identity(),
            follows: true,
            replayed,
        }
    }

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    /// What is judged, asked and told in the same second.
    fn judged(notes: &mut Notes, at: u64, flushed: i64, replayed: i64) -> Result<Duration, String> {
        let (primary, standby) = (primary(flushed), standby(replayed));
        notes.judge(second(at), second(at), &primary, &standby)
    }

    #[test]
    fn it_is_as_old_as_the_newest_note_that_it_has_come_to() {
        let mut notes = Notes::default();
        assert!(judged(&mut notes, 100, 1000, 900).is_err(), "no note yet");
        assert_eq!(judged(&mut notes, 101, 1100, 1000), Ok(second(1)));
        assert_eq!(judged(&mut notes, 102, 1200, 1050), Ok(second(2)));
        assert_eq!(judged(&mut notes, 103, 1300, 1099), Ok(second(3)));
        assert_eq!(judged(&mut notes, 104, 1400, 1300), Ok(second(1)));
        assert_eq!(judged(&mut notes, 105, 1400, 1400), Ok(second(0)));
    }

    #[test]
    fn an_idle_primary_leaves_its_replica_fresh() {
        let mut notes = Notes::default();
        for at in 100..200 {
            assert_eq!(judged(&mut notes, at, 1000, 1000), Ok(second(0)));
        }
        assert!(notes.0.len() <= 2, "{notes:?}");
    }

    #[test]
    fn one_that_stands_still_grows_old_and_is_noted_in_a_bounded_space() {
        let mut notes = Notes::default();
        assert_eq!(judged(&mut notes, 0, 0, 0), Ok(second(0)));
        for at in 1..=20 {
            let behind = judged(&mut notes, at, i64::try_from(at).unwrap(), 0);
            assert_eq!(behind, Ok(second(at)));
        }
        for at in 21..1000 {
            let behind = judged(&mut notes, at, i64::try_from(at).unwrap(), 0);
            assert!(behind.is_err() || behind.unwrap() > MOST_BEHIND);
            assert!(notes.0.len() < 30);
        }
        assert_eq!(judged(&mut notes, 1000, 1000, 1000), Ok(second(0)));
    }

    #[test]
    fn after_a_failover_it_is_judged_anew() {
        let mut notes = Notes::default();
        assert_eq!(judged(&mut notes, 1, 1000, 1000), Ok(second(0)));
        assert_eq!(judged(&mut notes, 2, 500, 500), Ok(second(0)));
        assert_eq!(judged(&mut notes, 3, 600, 500), Ok(second(1)));
    }

    #[test]
    fn what_is_no_replica_of_it_is_not_asked() {
        let mut notes = Notes::default();
        let mut judge =
            |standby: Standby| notes.judge(second(1), second(1), &primary(1000), &standby);
        let mut other = standby(1000);
        other.identity.database = "postgres".to_owned();
        assert!(judge(other).is_err());
        let mut other = standby(1000);
        other.identity.system = 8;
        assert!(judge(other).is_err());
        let mut promoted = standby(1000);
        promoted.follows = false;
        assert!(judge(promoted).is_err());
    }
}
