//! Where tokens that are not in memory come from: the seam to the database, or to the API for nodes
//! that have none.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tollkeeper_domain::quota::QuotaPeriod;
use tollkeeper_domain::secret::SecretHash;
use uuid::Uuid;

use crate::facts::{AccountFacts, TokenFacts};
use crate::feed::{LogHead, LoggedEvent};

/// The answer of a source, in time.
pub type SourceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// What one look-up found.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The log's head in the very snapshot the facts come from.
    pub head: LogHead,
    /// The known ones among the digests asked for, in any order.
    pub found: Vec<Found>,
}

/// A digest that belongs to a token.
#[derive(Debug, Clone)]
pub struct Found {
    /// The digest asked for.
    pub digest: SecretHash,
    /// Its token.
    pub token: TokenFacts,
    /// The token's account.
    pub account: AccountFacts,
}

/// What a node tells of itself each time that it asks for the log's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attendance {
    /// Up to where it has applied the log.
    pub applied: Option<LogHead>,
    /// For how long from now on it may answer without telling so again; `None` for as long as it
    /// runs.
    pub valid_for: Option<Duration>,
}

/// One period of one generation of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalanceKey {
    /// The token, or the account for all its tokens together.
    pub owner: Uuid,
    /// Which of the owner's balances, of all it ever had.
    pub generation: u32,
    /// Which period of it.
    pub period: QuotaPeriod,
}

/// What was used of a balance, as far as it is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Through this node, since it runs.
    pub own: u64,
    /// Through all others.
    pub others: u64,
}

/// Reads the primary. A replica will not do: every answer must contain everything that was
/// committed before it was asked for, because revocation rests on that.
pub trait TokenSource: Send + Sync + 'static {
    /// Looks up digests, with the log's head, in one snapshot.
    fn lookup<'a>(&'a self, digests: &'a [SecretHash]) -> SourceFuture<'a, Lookup>;

    /// What was used of these balances, one by one; `own` are the sources under which the usage of
    /// this node is counted.
    fn balances<'a>(
        &'a self,
        asked: &'a [BalanceKey],
        own: &'a [Uuid],
    ) -> SourceFuture<'a, Vec<Used>>;

    /// Tells that the node is there, and gives the log's head as of then. Must not wait behind
    /// look-ups. Nothing may be answered by what follows from this head unless it was told.
    fn attend(&self, attendance: Attendance) -> SourceFuture<'_, LogHead>;

    /// Tells that the node answers nothing more.
    fn leave(&self) -> SourceFuture<'_, ()>;

    /// The digests of up to `most` secrets that work, those first whose tokens were used last. May be
    /// hours old: it is nothing but what to look up.
    fn recently_used(&self, most: usize) -> SourceFuture<'_, Vec<SecretHash>>;

    /// Up to `limit` events that follow `position`, in order and without gaps.
    fn events_after(&self, position: u64, limit: usize) -> SourceFuture<'_, Vec<LoggedEvent>>;
}

/// Why a source did not answer. Never cached, and never taken for "no such token".
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The database did not answer, or refused.
    #[error("the database cannot be read")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API did not answer, or refused.
    #[error("the API cannot be asked: {0}")]
    Api(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else has registered a node by this id.
    #[error("the node is another's")]
    NotOurs,
    /// Whoever wants to register a node has as many as there may be.
    #[error("there are too many nodes")]
    TooManyNodes,
    /// A replica answered where the primary was asked.
    #[error("a replica answered: verification must read the primary")]
    Replica,
    /// It took longer than it may.
    #[error("the source did not answer in time")]
    TimedOut,
    /// A read was given up, or never begun.
    #[error("tokens could not be read")]
    NotRead,
    /// The answer contradicts the schema or itself.
    #[error("the source's answer makes no sense: {0}")]
    Corrupt(&'static str),
}
