//! Rate limits: how much a token, or all tokens of an account together, may do in how much time.
//!
//! A limit lets `burst` units through at once, and what was taken comes back at the even rate of
//! `limit` units in `window_seconds` (the generic cell rate algorithm, ITU-T I.371): no window begins
//! or ends, so nothing can be had twice at the edge of one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The most limits that one token or one account may have. Each check goes through them.
pub const MAX_RATE_LIMITS: usize = 8;

/// The most units that a limit may let through, in its window or at once.
pub const MAX_UNITS: u32 = 1_000_000_000;

/// The longest window, and the longest that a burst may take to come back: 31 days.
pub const MAX_WINDOW_SECONDS: u32 = 31 * 86_400;

/// The longest name of a limit or a quota, in characters.
pub(crate) const MAX_NAME_CHARACTERS: usize = 32;

/// One limit, to be checked as part of [`RateLimits`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(from = "NewRateLimit")]
pub struct RateLimit {
    /// Tells it from the others, and keeps what was consumed when the rest of it changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 32, pattern = r"^[a-z0-9._-]+$"))]
    pub name: Box<str>,
    /// How many units come back in each window.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    pub limit: u32,
    /// How long that takes.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 2_678_400))]
    pub window_seconds: u32,
    /// How many units may be taken at once.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    pub burst: u32,
    /// How many units one request takes.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    pub cost: u32,
}

/// A limit as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRateLimit {
    /// Tells it from the others, and keeps what was consumed when the rest of it changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 32, pattern = r"^[a-z0-9._-]+$"))]
    name: Box<str>,
    /// How many units come back in each window.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    limit: u32,
    /// How long that takes: at most 31 days.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 2_678_400))]
    window_seconds: u32,
    /// How many units may be taken at once: `limit` if nothing is said. They must come back within
    /// 31 days.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    burst: Option<u32>,
    /// How many units one request takes: 1 if nothing is said, and at most `burst`.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    cost: Option<u32>,
}

impl From<NewRateLimit> for RateLimit {
    fn from(asked: NewRateLimit) -> Self {
        let NewRateLimit {
            name,
            limit,
            window_seconds,
            burst,
            cost,
        } = asked;
        Self::new(name, limit, window_seconds, burst, cost)
    }
}

/// Why a limit is refused. The text is fit for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRateLimit {
    /// More than one token or account may have.
    #[error("there are at most {MAX_RATE_LIMITS} rate limits")]
    TooMany,
    /// The name has not the form of one.
    #[error("the name of a rate limit has 1 to {MAX_NAME_CHARACTERS} characters of a-z 0-9 . _ -")]
    Name,
    /// Another one has the name.
    #[error("another rate limit has this name")]
    NameTaken,
    /// Units out of bounds.
    #[error("this is 1 to {MAX_UNITS}")]
    Units,
    /// A window out of bounds.
    #[error("a window has 1 to {MAX_WINDOW_SECONDS} seconds")]
    Window,
    /// The burst takes too long to come back.
    #[error("at this rate the burst takes more than {MAX_WINDOW_SECONDS} seconds to come back")]
    Refill,
    /// No request could ever pass.
    #[error("one request costs at most the burst")]
    Cost,
}

/// All that is wrong with a list of limits, and where: each place is a JSON pointer that begins at the
/// list, such as `/1/name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad rate limits: {0:?}")]
pub struct BadRateLimits(pub Vec<(String, BadRateLimit)>);

impl RateLimit {
    /// A limit as it is asked for: what is not said is all of it at once, and one unit a request.
    #[must_use]
    pub fn new(
        name: impl Into<Box<str>>,
        limit: u32,
        window_seconds: u32,
        burst: Option<u32>,
        cost: Option<u32>,
    ) -> Self {
        Self {
            name: name.into(),
            limit,
            window_seconds,
            burst: burst.unwrap_or(limit),
            cost: cost.unwrap_or(1),
        }
    }

    /// What is wrong with it by itself: the field, and why.
    fn faults(&self) -> Vec<(&'static str, BadRateLimit)> {
        let mut faults = Vec::new();
        let mut check = |field, fits: bool, why| {
            if !fits {
                faults.push((field, why));
            }
            fits
        };
        let units = 1..=MAX_UNITS;
        check("name", is_name(&self.name), BadRateLimit::Name);
        let limit = check("limit", units.contains(&self.limit), BadRateLimit::Units);
        let window = (1..=MAX_WINDOW_SECONDS).contains(&self.window_seconds);
        let window = check("window_seconds", window, BadRateLimit::Window);
        // A burst that was not asked for is the limit, whose fault is told already.
        if limit && window {
            let burst = check("burst", units.contains(&self.burst), BadRateLimit::Units);
            let refill = u64::from(self.burst) * u64::from(self.window_seconds);
            let most = u64::from(self.limit) * u64::from(MAX_WINDOW_SECONDS);
            if burst && check("burst", refill <= most, BadRateLimit::Refill) {
                let cost = (1..=self.burst).contains(&self.cost);
                let why = if self.cost == 0 {
                    BadRateLimit::Units
                } else {
                    BadRateLimit::Cost
                };
                check("cost", cost, why);
            }
        }
        faults
    }

    /// Whether whoever is bound by this one can do no more than who is bound by `other`. Rates are
    /// compared exactly.
    fn is_within(&self, other: &Self) -> bool {
        let own = u64::from(self.limit) * u64::from(other.window_seconds);
        let others = u64::from(other.limit) * u64::from(self.window_seconds);
        own <= others && self.burst <= other.burst && self.cost >= other.cost
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=MAX_NAME_CHARACTERS).contains(&text.len()) && text.bytes().all(known)
}

/// The limits of a token or an account, sorted by their names, which are unique. None at all is no
/// limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<RateLimit>")]
pub struct RateLimits(Box<[RateLimit]>);

impl RateLimits {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, RateLimit> {
        self.0.iter()
    }

    /// The limit of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RateLimit> {
        self.iter().find(|limit| &*limit.name == name)
    }

    /// Whether whoever is bound by these can do no more than who is bound by `other`: each of the
    /// others is here too, by its name, with no higher rate, no larger burst and no lower cost.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        let mut others = other.iter();
        others.all(|other| {
            let own = self.get(&other.name);
            own.is_some_and(|own| own.is_within(other))
        })
    }

    /// What they take in memory beside themselves, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let names: usize = self.iter().map(|limit| limit.name.len()).sum();
        size_of_val(&*self.0) + names
    }
}

impl<'a> IntoIterator for &'a RateLimits {
    type Item = &'a RateLimit;
    type IntoIter = std::slice::Iter<'a, RateLimit>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl TryFrom<Vec<RateLimit>> for RateLimits {
    type Error = BadRateLimits;

    fn try_from(mut limits: Vec<RateLimit>) -> Result<Self, Self::Error> {
        if limits.len() > MAX_RATE_LIMITS {
            return Err(BadRateLimits(vec![(String::new(), BadRateLimit::TooMany)]));
        }
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        for (index, limit) in limits.iter().enumerate() {
            let own = limit.faults().into_iter();
            faults.extend(own.map(|(field, why)| (format!("/{index}/{field}"), why)));
            if !names.insert(&limit.name) {
                faults.push((format!("/{index}/name"), BadRateLimit::NameTaken));
            }
        }
        if !faults.is_empty() {
            return Err(BadRateLimits(faults));
        }
        limits.sort_unstable();
        Ok(Self(limits.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(limits: Value) -> Result<RateLimits, BadRateLimits> {
        let limits: Vec<RateLimit> = serde_json::from_value(limits).unwrap();
        limits.try_into()
    }

    fn faults(limits: Value) -> Vec<(String, BadRateLimit)> {
        read(limits).unwrap_err().0
    }

    #[test]
    fn what_is_not_said_is_the_limit_at_once_and_one_each() {
        let limits = read(json!([
            {"name": "requests", "limit": 100, "window_seconds": 60},
            {"name": "day", "limit": 9, "window_seconds": 86_400, "burst": 3, "cost": 2},
        ]));
        let whole = json!([
            {"name": "day", "limit": 9, "window_seconds": 86_400, "burst": 3, "cost": 2},
            {"name": "requests", "limit": 100, "window_seconds": 60, "burst": 100, "cost": 1},
        ]);
        let limits = limits.unwrap();
        assert_eq!(serde_json::to_value(&limits).unwrap(), whole);
        assert_eq!(serde_json::from_value::<RateLimits>(whole).unwrap(), limits);
        assert_eq!(limits.get("requests").unwrap().burst, 100);
        assert!(limits.get("hour").is_none() && !limits.is_empty());
    }

    #[test]
    fn the_bounds_themselves_are_allowed() {
        for (limit, window, burst, cost) in [
            (1, 1, 1, 1),
            (MAX_UNITS, MAX_WINDOW_SECONDS, MAX_UNITS, MAX_UNITS),
            (1, 1, MAX_WINDOW_SECONDS, 1),
            (1, MAX_WINDOW_SECONDS, 1, 1),
        ] {
            let name = "abcdefghijklmnopqrstuvwxyz.-_019";
            let limit = json!([{
                "name": name, "limit": limit, "window_seconds": window, "burst": burst, "cost": cost,
            }]);
            assert!(read(limit.clone()).is_ok(), "{limit}");
        }
        assert!(read(json!([])).unwrap().is_empty());
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        use BadRateLimit::{Cost, Name, NameTaken, Refill, Units, Window};

        let good = json!({"name": "a", "limit": 10, "window_seconds": 60});
        for (field, value, place, why) in [
            ("name", json!(""), "name", Name),
            ("name", json!("a".repeat(33)), "name", Name),
            ("name", json!("Requests"), "name", Name),
            ("name", json!("é"), "name", Name),
            ("limit", json!(0), "limit", Units),
            ("limit", json!(MAX_UNITS + 1), "limit", Units),
            ("window_seconds", json!(0), "window_seconds", Window),
            (
                "window_seconds",
                json!(MAX_WINDOW_SECONDS + 1),
                "window_seconds",
                Window,
            ),
            ("burst", json!(0), "burst", Units),
            ("burst", json!(MAX_UNITS + 1), "burst", Units),
            // 10 in 60 seconds are 446,400 in 31 days.
            ("burst", json!(446_401), "burst", Refill),
            ("cost", json!(0), "cost", Units),
            ("cost", json!(11), "cost", Cost),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let found = faults(json!([{"name": "b", "limit": 1, "window_seconds": 1}, bad]));
            assert_eq!(found, [(format!("/1/{place}"), why)], "{bad}");
        }
        assert_eq!(
            faults(json!([good, good, {"name": "-", "limit": 0, "window_seconds": 0}])),
            [
                ("/1/name".to_owned(), NameTaken),
                ("/2/limit".to_owned(), Units),
                ("/2/window_seconds".to_owned(), Window),
            ]
        );
    }

    #[test]
    fn there_are_eight_at_most() {
        let many = |count: u32| {
            let limit = |it| json!({"name": format!("n{it}"), "limit": 1, "window_seconds": 1});
            Value::Array((0..count).map(limit).collect())
        };
        assert!(read(many(8)).is_ok());
        assert_eq!(faults(many(9)), [(String::new(), BadRateLimit::TooMany)]);
        assert!(serde_json::from_value::<RateLimits>(many(9)).is_err());
    }

    #[test]
    fn more_is_a_higher_rate_a_larger_burst_or_a_lower_cost() {
        let own = read(json!([{
            "name": "a", "limit": 100, "window_seconds": 60, "burst": 50, "cost": 2,
        }]))
        .unwrap();
        let none = RateLimits::default();
        assert!(own.within(&none) && none.within(&none) && own.within(&own));
        assert!(!none.within(&own));
        let changed = |field: &str, value: Value| {
            let mut limits = serde_json::to_value(&own).unwrap();
            limits[0][field] = value;
            read(limits).unwrap().within(&own)
        };
        assert!(!changed("name", json!("b")));
        assert!(changed("limit", json!(99)) && !changed("limit", json!(101)));
        assert!(changed("window_seconds", json!(61)) && !changed("window_seconds", json!(59)));
        assert!(changed("burst", json!(49)) && !changed("burst", json!(51)));
        assert!(changed("cost", json!(3)) && !changed("cost", json!(1)));
        let with = |more: Value| read(more).unwrap().within(&own);
        assert!(
            with(json!([
                {"name": "a", "limit": 5, "window_seconds": 3, "burst": 50, "cost": 2},
                {"name": "b", "limit": MAX_UNITS, "window_seconds": 1},
            ])),
            "the same rate in other words, and one limit more"
        );
        assert!(
            !with(json!([
                {"name": "a", "limit": 1_666_667, "window_seconds": 1_000_000, "burst": 50, "cost": 2},
            ])),
            "a rate higher by a millionth"
        );
    }
}
