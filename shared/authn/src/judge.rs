//! The checks, in their order.
//!
//! Addresses come before scopes, rate limits and quotas after them; the order is part of the public
//! format, because a caller learns the first reason only.

use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::verdict::Verdict;

use crate::entry::TokenEntry;
use crate::standing::Snapshot;

/// What a request demands of a token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requirement<'a> {
    /// The environment it must have been issued for.
    pub environment: Option<Environment>,
    /// Scopes it must hold, all of them.
    pub scopes: &'a [&'a str],
    /// Answer from a read of the primary that begins after this was asked.
    pub fresh: bool,
}

/// Which marks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// What is certain.
    Proven,
    /// Denials that only messages told of, too: the primary cannot be asked.
    Hints,
}

/// Judges a token at `now_micros`, all that is known of it taken as true.
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
