//! The checks, in their order.
//!
//! Addresses come before scopes, rate limits after all of them, in `charge`, and quotas last; the order is part of the public format, because a caller learns the first reason only.

use std::net::IpAddr;

use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Restrictions;
use tollkeeper_domain::verdict::Verdict;

use crate::entry::TokenEntry;
use crate::standing::Snapshot;

/// Where a request comes from, for tokens that are bound to networks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Client {
    /// Nobody knows, and a token that is bound is refused.
    #[default]
    Unknown,
    /// From this address.
    At(IpAddr),
    /// It is not the client who asks, and whoever asks judges the address.
    JudgedElsewhere,
}

impl From<Option<IpAddr>> for Client {
    fn from(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Unknown, Self::At)
    }
}

impl Client {
    fn is_admitted_by(self, restrictions: &Restrictions) -> bool {
        match self {
            Self::Unknown => restrictions.admit(None),
            Self::At(address) => restrictions.admit(Some(address)),
            Self::JudgedElsewhere => true,
        }
    }
}

/// What a request demands of a token.
#[derive(Debug, Clone, Copy)]
pub struct Requirement<'a> {
    /// The environment it must have been issued for.
    pub environment: Option<Environment>,
    /// Where the request comes from.
    pub client: Client,
    /// Scopes it must hold, all of them.
    pub scopes: &'a [&'a str],
    /// Answer from a read of the primary that begins after this was asked.
    pub fresh: bool,
    /// How many times over the request is charged to each rate limit, and how many units it takes of each
    /// quota, if it passes. With 0 it is a look: charged to none, and refused by none.
    pub cost: u32,
    /// Charge it to tokens of this account alone: whoever asks is told of no others.
    pub charged: Option<AccountId>,
    /// Whether it is a use that will be counted, by the charges that the answer tells: only such a use
    /// takes of quotas, and is refused by them.
    pub counted: bool,
}

impl Default for Requirement<'_> {
    /// Nothing but a token that works, for one request.
    fn default() -> Self {
        Self {
            environment: None,
            client: Client::default(),
            scopes: &[],
            fresh: false,
            cost: 1,
            charged: None,
            counted: true,
        }
    }
}

/// Which marks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// What is certain.
    Proven,
    /// Denials that only messages told of, too: the primary cannot be asked.
    Hints,
}

/// Judges a token at `now_micros`, all that is known of it taken as true. Rate limits and quotas are left to
/// whoever gives the answer, because only what is answered `VALID` is charged.
pub(crate) fn judge(
    entry: &TokenEntry,
    requirement: &Requirement<'_>,
    now_micros: i64,
    belief: Belief,
) -> Verdict {
    let view = |snapshot: Snapshot| match belief {
        Belief::Proven => snapshot,
        Belief::Hints => snapshot.believing_hints(),
    };
    let token = view(entry.standing.get());
    let account = view(entry.account.standing.get());
    let facts = &entry.facts;
    let over = |end: Option<i64>| end.is_some_and(|end| end <= now_micros);

    if token.is_ended() {
        Verdict::Revoked
    } else if account.is_ended() || account.is_suspended() {
        Verdict::AccountSuspended
    } else if token.is_suspended() {
        Verdict::Suspended
    } else if facts.not_before.is_some_and(|start| now_micros < start) {
        Verdict::NotYetValid
    } else if over(facts.expires_at) || over(facts.secret_valid_until) {
        Verdict::Expired
    } else if requirement
        .environment
        .is_some_and(|asked| asked != facts.environment)
    {
        Verdict::WrongEnvironment
    } else if facts
        .restrictions
        .as_deref()
        .is_some_and(|restrictions| !requirement.client.is_admitted_by(restrictions))
    {
        Verdict::IpNotAllowed
    } else if !requirement
        .scopes
        .iter()
        .all(|scope| facts.scopes.covers(scope))
    {
        Verdict::InsufficientScope
    } else {
        Verdict::Valid
    }
}
