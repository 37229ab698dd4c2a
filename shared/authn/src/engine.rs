//! The engine itself: the way of one check.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tollkeeper_ambient::SharedClock;
use tollkeeper_domain::secret::{Malformed, SecretHash, check_form, check_shape};
use tollkeeper_domain::verdict::Verdict;

use crate::config::EngineConfig;
use crate::counters::{Count, Counters};
use crate::entry::TokenEntry;
use crate::feed::FeedEvent;
use crate::flights::{Flights, Joined, Outcome, Refused, Wanted};
use crate::heard::{Heard, Way};
use crate::judge::{Belief, Requirement, judge};
use crate::limits::PresentShare;
use crate::limits::exchange::Outbox;
use crate::proof::{Freshness, Proof, StaleRule};
use crate::source::TokenSource;
use crate::standing::Evidence;
use crate::store::{Memory, Store};
use crate::time::Moment;
use crate::verification::{CacheUse, Miss, Verification};

/// How often one check asks for a read, should each be overtaken by events.
const MOST_ROUNDS: usize = 3;

/// A token as it was presented, and what is demanded of it.
pub type Check<'a> = (&'a [u8], Requirement<'a>);

/// Answers from memory whether a token may pass, and knows how old its knowledge is.
///
/// [`Engine::run`] must be running for misses to be read and the proof to move on.
pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) clock: SharedClock,
    pub(crate) source: Arc<dyn TokenSource>,
    pub(crate) store: Store,
    pub(crate) flights: Flights,
    pub(crate) proof: Proof,
    pub(crate) rule: StaleRule,
    pub(crate) counters: Counters,
    pub(crate) heard: Heard,
    /// What is to be told to other nodes of limits; none where nobody is told.
    pub(crate) outbox: OnceLock<Outbox>,
    pub(crate) share: PresentShare,
    /// One pass of the proof at a time.
    pub(crate) proving: tokio::sync::Mutex<()>,
    /// Asks for a pass of the proof before its time.
    pub(crate) suspicion: Notify,
}

impl Engine {
    /// An engine with empty memory, unavailable until its first proof.
    #[must_use]
    pub fn new(config: EngineConfig, source: Arc<dyn TokenSource>, clock: SharedClock) -> Self {
        Self {
            store: Store::new(&config, Moment::now(&*clock)),
            flights: Flights::new(config.fill.queue),
            proof: Proof::default(),
            rule: StaleRule::new(&config),
            counters: Counters::new(),
            heard: Heard::default(),
            outbox: OnceLock::new(),
            share: PresentShare::default(),
            proving: tokio::sync::Mutex::new(()),
            suspicion: Notify::new(),
            config,
            clock,
            source,
        }
    }

    /// Checks a token, from memory if possible.
    pub async fn verify(&self, token: &[u8], requirement: &Requirement<'_>) -> Verification {
        match self.try_verify(token, requirement) {
            Ok(verification) => verification,
            Err(miss) => self.resolve(miss, requirement).await,
        }
    }

    /// Checks several tokens, each as [`Engine::verify`] would. Those that memory cannot answer for
    /// are read together. All are charged at the end and at once: who gives up before was charged nothing.
    pub async fn verify_all(&self, checks: &[Check<'_>]) -> Vec<Verification> {
        let tried: Vec<_> = checks
            .iter()
            .map(|(token, requirement)| self.look(token, requirement, |answer, _| answer))
            .collect();
        let misses = tried.iter().zip(checks).filter_map(|(tried, check)| {
            let miss = tried.as_ref().err()?;
            Some(miss.wanted(check.1.fresh))
        });
        let mut reads = self.flights.join_all(misses).into_iter();
        let answers = tried.into_iter().zip(checks).map(|(tried, check)| {
            let read = tried.as_ref().err().and_then(|_| reads.next());
            async move {
                match (tried, read) {
                    (Ok(verification), _) => verification,
                    (Err(miss), read) => {
                        let read = read.unwrap_or(Err(Refused));
                        self.finish(miss, &check.1, read).await
                    }
                }
            }
        });
        let answers = join_all(answers).await.into_iter().zip(checks);
        answers
            .map(|(answer, check)| self.settled(answer, &check.1))
            .collect()
    }

    fn malformed(&self) -> Verification {
        self.counters.add(Count::Malformed, 1);
        Verification {
            verdict: Verdict::Malformed,
            cache: CacheUse::Hit,
            age: None,
            at_micros: self.clock.wall_micros(),
            entry: None,
            limits: None,
            quotas: None,
        }
    }

    /// Checks a token from memory alone. Allocates nothing and waits for nothing.
    ///
    /// # Errors
    /// [`Miss`] if the primary has to be read.
    pub fn try_verify(
        &self,
        token: &[u8],
        requirement: &Requirement<'_>,
    ) -> Result<Verification, Miss> {
        self.look(token, requirement, |answer, now| {
            self.limited(answer, requirement, now)
        })
    }

    /// The same; `charge` is given what would pass, to be charged.
    fn look(
        &self,
        token: &[u8],
        requirement: &Requirement<'_>,
        charge: impl FnOnce(Verification, Moment) -> Verification,
    ) -> Result<Verification, Miss> {
        let config = &self.config;
        let admitted = |checked: Result<_, Malformed>| {
            checked.is_ok() || config.legacy.admit(token, &config.brand)
        };
        if !admitted(check_form(token, &config.brand)) {
            return Ok(self.malformed());
        }
        let digest = SecretHash::of(token);
        // The order matters. The proof is read before the state it vouches for, so that the state
        // is at least as new; the clock after it, so that a process frozen in between knows it.
        let proven = self.proof.get();
        let memory = self.store.get(&digest);
        // What has the digest of a token is that token, so that only others are summed up.
        if !matches!(memory, Memory::Token(_)) && !admitted(check_shape(token, &config.brand)) {
            return Ok(self.malformed());
        }
        let now = Moment::now(&*self.clock);
        let age = proven.map(|proven| now.since(proven));
        let freshness = self.rule.judge(age);
        let answer = |verdict, entry| Verification {
            verdict,
            cache: CacheUse::Hit,
            age,
            at_micros: now.wall_micros,
            entry,
            limits: None,
            quotas: None,
        };

        if requirement.fresh && proven.is_some() {
            let doubtful = match memory {
                Memory::Token(entry) => Some(entry),
                Memory::NoToken | Memory::Unread => None,
            };
            self.counters.add(Count::Miss, 1);
            return Err(Miss { digest, doubtful });
        }
        match memory {
            Memory::Token(entry) if entry.is_ended() => {
                self.counters.add(Count::Hit, 1);
                let verdict = judge(&entry, requirement, now.wall_micros, Belief::Proven);
                Ok(answer(verdict, Some(entry)))
            }
            memory if freshness == Freshness::Unavailable => {
                self.counters.add(Count::Unavailable, 1);
                let entry = match memory {
                    Memory::Token(entry) => Some(entry),
                    Memory::NoToken | Memory::Unread => None,
                };
                Ok(answer(Verdict::Unavailable, entry))
            }
            Memory::Token(entry) if entry.must_read() => {
                self.counters.add(Count::Miss, 1);
                Err(Miss {
                    digest,
                    doubtful: Some(entry),
                })
            }
            Memory::Token(entry) => {
                self.counters.add(Count::Hit, 1);
                let verdict = judge(&entry, requirement, now.wall_micros, Belief::Proven);
                Ok(charge(answer(verdict, Some(entry)), now))
            }
            Memory::NoToken => {
                self.counters.add(Count::NegativeHit, 1);
                Ok(answer(Verdict::NotFound, None))
            }
            Memory::Unread => {
                self.counters.add(Count::Miss, 1);
                Err(Miss {
                    digest,
                    doubtful: None,
                })
            }
        }
    }

    /// Finishes a check that memory could not answer, by reading the primary. Bounded by the fill
    /// time limit; what cannot be read in time is `UNAVAILABLE`, never `NOT_FOUND`.
    pub async fn resolve(&self, miss: Miss, requirement: &Requirement<'_>) -> Verification {
        let read = self.flights.join(miss.wanted(requirement.fresh));
        let answer = self.finish(miss, requirement, read).await;
        self.settled(answer, requirement)
    }

    /// Finishes a check by a read that was asked for, and charges nothing.
    async fn finish(
        &self,
        miss: Miss,
        requirement: &Requirement<'_>,
        read: Joined,
    ) -> Verification {
        let digest = miss.digest;
        let mut doubtful = miss.doubtful;
        let reads = async {
            let mut answer = read.ok()?;
            for round in 1..=MOST_ROUNDS {
                match answer.await.ok()? {
                    Outcome::Failed => return None,
                    Outcome::NoToken(read_at) => {
                        let nothing = (Verdict::NotFound, None);
                        return Some(self.read_answer(nothing, read_at));
                    }
                    Outcome::Token(entry, _) if entry.must_read() && !entry.is_ended() => {
                        doubtful = Some(entry);
                        if round == MOST_ROUNDS {
                            return None;
                        }
                        // The read was overtaken: only one that begins now will do.
                        let again = Wanted {
                            digest,
                            fresh: true,
                            doubtful: true,
                        };
                        answer = self.flights.join(again).ok()?;
                    }
                    Outcome::Token(entry, read_at) => {
                        let now = self.clock.wall_micros();
                        let verdict = judge(&entry, requirement, now, Belief::Proven);
                        let found = (verdict, Some(entry));
                        return Some(self.read_answer(found, read_at));
                    }
                }
            }
            None
        };
        match tokio::time::timeout(self.config.fill.time_limit, reads).await {
            Ok(Some(verification)) => verification,
            Ok(None) | Err(_) => self.without_reading(doubtful, requirement),
        }
    }

    /// An answer from a read, which is a proof of its own.
    fn read_answer(
        &self,
        (verdict, entry): (Verdict, Option<Arc<TokenEntry>>),
        read_at: Moment,
    ) -> Verification {
        let now = Moment::now(&*self.clock);
        let age = now.since(read_at);
        let ended = entry.as_deref().is_some_and(TokenEntry::is_ended);
        let verdict = match self.rule.judge(Some(age)) {
            Freshness::Unavailable if !ended => self.unavailable(),
            _ => verdict,
        };
        Verification {
            verdict,
            cache: CacheUse::Miss,
            age: Some(age),
            at_micros: now.wall_micros,
            entry,
            limits: None,
            quotas: None,
        }
    }

    /// The answer when the primary had to be read and could not be.
    ///
    /// What the log proved wrong is of no use. What only a message put in doubt is as good as
    /// without the message, except that its denials are believed.
    fn without_reading(
        &self,
        doubtful: Option<Arc<TokenEntry>>,
        requirement: &Requirement<'_>,
    ) -> Verification {
        let proven = self.proof.get();
        let now = Moment::now(&*self.clock);
        let age = proven.map(|proven| now.since(proven));
        let usable = self.rule.judge(age) != Freshness::Unavailable && !requirement.fresh;
        let verdict = match &doubtful {
            Some(entry) => {
                if entry.is_said_to_have_ended() || (usable && !entry.is_outdated()) {
                    judge(entry, requirement, now.wall_micros, Belief::Hints)
                } else {
                    self.unavailable()
                }
            }
            None => self.unavailable(),
        };
        Verification {
            verdict,
            cache: CacheUse::Miss,
            age,
            at_micros: now.wall_micros,
            entry: doubtful,
            limits: None,
            quotas: None,
        }
    }

    fn unavailable(&self) -> Verdict {
        self.counters.add(Count::Unavailable, 1);
        Verdict::Unavailable
    }

    /// Takes in an event that this process has committed itself: denies at once.
    ///
    /// To be called after the commit and before the answer, so that the caller's next request on
    /// this node already sees it.
    pub fn committed(&self, event: &FeedEvent) {
        self.store.hear(event, Evidence::Committed);
        self.tell_heard(event, Way::Commit);
    }

    /// Takes in an event that came by message. Whoever can send messages can at worst cost reads:
    /// what it names is read again, and denied only while the primary cannot be asked.
    pub fn hint(&self, event: &FeedEvent) {
        self.store.hear(event, Evidence::Hearsay);
        self.tell_heard(event, Way::Message);
    }

    fn tell_heard(&self, event: &FeedEvent, way: Way) {
        let applied = self.store.applied().map_or(0, |head| head.position);
        let now = self.clock.wall_micros();
        self.heard.tell(event, way, applied, now);
    }

    /// How far the node's knowledge can be trusted now, and its age.
    pub(crate) fn freshness(&self) -> (Freshness, Option<Duration>) {
        let proven = self.proof.get();
        let now = Moment::now(&*self.clock);
        let age = proven.map(|proven| now.since(proven));
        (self.rule.judge(age), age)
    }
}
