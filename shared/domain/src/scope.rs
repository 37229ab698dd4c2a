//! Scopes: what a token may be used for.
//!
//! A scope is 1–50 characters of `a-z0-9._:-` with an optional final `*`, which covers every scope
//! that begins with what stands before it. The prefix `tollkeeper:` is reserved for scopes that
//! manage Tollkeeper itself; no wildcard reaches into it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest scope, in characters.
pub const MAX_SCOPE_CHARACTERS: usize = 50;

/// The most scopes one token may hold.
pub const MAX_SCOPES: usize = 100;

/// The prefix of the scopes that manage Tollkeeper itself.
const RESERVED_PREFIX: &str = "tollkeeper:";

/// The management scopes that exist.
pub const MANAGEMENT_SCOPES: [&str; 8] = [
    "tollkeeper:tokens.read",
    "tollkeeper:tokens.write",
    "tollkeeper:usage.read",
    "tollkeeper:usage.write",
    "tollkeeper:events.read",
    "tollkeeper:accounts.write",
    "tollkeeper:verify",
    "tollkeeper:webhooks.write",
];

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        max_length = 50,
        pattern = r"^[a-z0-9._:-]*[a-z0-9._:*-]$",
        examples("orders:read", "orders:*"),
    )
)]
pub struct Scope(Box<str>);

/// Why a text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadScope {
    /// Empty or longer than [`MAX_SCOPE_CHARACTERS`].
    #[error("a scope has 1 to {MAX_SCOPE_CHARACTERS} characters")]
    Length,
    /// A character outside the alphabet, or a `*` that is not the last.
    #[error("a scope consists of a-z 0-9 . _ : - and may end in *")]
    Character,
    /// Begins with the reserved prefix but is none of the management scopes.
    #[error("scopes that begin with `tollkeeper:` are reserved, and this one does not exist")]
    Reserved,
}

impl Scope {
    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it manages Tollkeeper itself.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }

    /// Whether holding this scope allows what `required` names. `required` may itself end in `*`:
    /// a wildcard is covered only by one at least as wide.
    #[must_use]
    pub fn covers(&self, required: &str) -> bool {
        covers(&self.0, required)
    }
}

/// As [`Scope::is_reserved`].
pub(crate) fn is_reserved(scope: &str) -> bool {
    scope.starts_with(RESERVED_PREFIX)
}

fn covers(held: &str, required: &str) -> bool {
    match held.strip_suffix('*') {
        Some(stem) => required.starts_with(stem) && !is_reserved(required),
        None => held == required,
    }
}

impl FromStr for Scope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.chars().count() > MAX_SCOPE_CHARACTERS {
            return Err(BadScope::Length);
        }
        let stem = text.strip_suffix('*').unwrap_or(text);
        let known = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._:-".contains(&byte)
        };
        if !stem.bytes().all(known) {
            return Err(BadScope::Character);
        }
        if text.starts_with(RESERVED_PREFIX) && !MANAGEMENT_SCOPES.contains(&text) {
            return Err(BadScope::Reserved);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The scopes of a token, sorted and without repeats.
///
/// They are one text with a space between them, as OAuth writes them (RFC 6749, section 3.3): a check then
/// reads one place of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet(Box<str>);

impl ScopeSet {
    /// Whether some scope of the set allows what `required` names.
    #[must_use]
    pub fn covers(&self, required: &str) -> bool {
        self.iter().any(|scope| covers(scope, required))
    }

    /// The first scope of `other` that this set does not cover.
    #[must_use]
    pub fn first_beyond(&self, other: &Self) -> Option<Scope> {
        other.first_without(|scope| self.covers(scope))
    }

    /// The first scope that is not `within`.
    pub(crate) fn first_without(&self, within: impl Fn(&str) -> bool) -> Option<Scope> {
        let mut others = self.iter().filter(|scope| !within(scope));
        others.next().map(|scope| Scope(scope.into()))
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_terminator(' ')
    }

    /// The scopes in order, with a space between them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none: such a token proves identity only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let sorted: BTreeSet<Scope> = scopes.into_iter().collect();
        let texts: Vec<&str> = sorted.iter().map(Scope::as_str).collect();
        Self(texts.join(" ").into())
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scopes = BTreeSet::<Scope>::deserialize(deserializer)?;
        Ok(scopes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(scopes: &[&str]) -> ScopeSet {
        scopes.iter().map(|scope| scope.parse().unwrap()).collect()
    }

    #[test]
    fn form() {
        for good in ["read", "orders:read", "a.b_c-d:*", "*", &"a".repeat(50)] {
            assert!(good.parse::<Scope>().is_ok(), "{good}");
        }
        assert_eq!("".parse::<Scope>(), Err(BadScope::Length));
        assert_eq!("a".repeat(51).parse::<Scope>(), Err(BadScope::Length));
        for bad in ["Read", "a b", "a*b", "**", "é", "a,b"] {
            assert_eq!(bad.parse::<Scope>(), Err(BadScope::Character), "{bad}");
        }
        for bad in [
            "tollkeeper:",
            "tollkeeper:*",
            "tollkeeper:tokens.*",
            "tollkeeper:all",
        ] {
            assert_eq!(bad.parse::<Scope>(), Err(BadScope::Reserved), "{bad}");
        }
    }

    #[test]
    fn wildcards_cover_what_they_begin_but_nothing_reserved() {
        let all = set(&["*"]);
        assert!(all.covers("orders:read") && all.covers("orders:*") && all.covers("*"));
        for scope in MANAGEMENT_SCOPES {
            assert!(!all.covers(scope), "{scope}");
            assert!(!set(&["t*", "tollkeeper*"]).covers(scope), "{scope}");
            assert!(set(&[scope]).covers(scope), "{scope}");
        }
        let orders = set(&["orders:*"]);
        assert!(orders.covers("orders:read") && !orders.covers("orders") && !orders.covers("*"));
        assert!(!set(&["orders:read"]).covers("orders:*"));
    }

    #[test]
    fn a_wildcard_that_could_reach_the_reserved_ones_is_no_wider_than_it_looks() {
        // `tollkeeper*` is an ordinary scope of somebody's own; asking for it is not reserved.
        assert!(set(&["*"]).covers("tollkeeperish"));
        assert_eq!(set(&["a", "b:*"]).first_beyond(&set(&["a", "b:c"])), None);
        let wider = set(&["a", "c"]);
        let beyond = set(&["a"]).first_beyond(&wider);
        assert_eq!(beyond.as_ref().map(Scope::as_str), Some("c"));
    }
}
