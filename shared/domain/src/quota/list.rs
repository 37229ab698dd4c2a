//! The quotas of one token or one account, as they are asked for and as they are held.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::refill::QuotaRefill;
use crate::rate_limit::{MAX_NAME_CHARACTERS, is_name};

/// The most quotas that one token or one account may have. Each check goes through them.
pub const MAX_QUOTAS: usize = 4;

/// The most uses that a quota may have. JSON numbers are exact up to here and well beyond.
pub const MAX_USES: u64 = 1_000_000_000_000_000;

/// A quota as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewQuota {
    /// Tells it from the others, and keeps what was used when its limit changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 32, pattern = r"^[._-]*[a-z0-9][a-z0-9._-]*$"))]
    pub name: Box<str>,
    /// How many uses there are in each period.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 1_000_000_000_000_000_i64)
    )]
    pub limit: u64,
    /// When it is full again: never if nothing is said.
    #[serde(default)]
    pub refill: QuotaRefill,
}

/// A quota as it is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Tells it from the others, and keeps what was used when its limit changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 32, pattern = r"^[._-]*[a-z0-9][a-z0-9._-]*$"))]
    pub name: Box<str>,
    /// How many uses there are in each period.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 1_000_000_000_000_000_i64)
    )]
    pub limit: u64,
    /// When it is full again.
    pub refill: QuotaRefill,
    /// Which balance it draws on, of all that its owner ever had. A new quota, another `refill` and
    /// each refill by hand take the next number.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub generation: u32,
}

/// A quota is full again because somebody wanted it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRefilled {
    /// Which of its owner's.
    pub name: Box<str>,
    /// The balance that it draws on from now on.
    pub generation: u32,
}

/// Why a quota is refused. The text is fit for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuota {
    /// More than one token or account may have.
    #[error("there are at most {MAX_QUOTAS} quotas")]
    TooMany,
    /// The name has not the form of one.
    #[error(
        "the name of a quota has 1 to {MAX_NAME_CHARACTERS} characters of a-z 0-9 . _ -, one of which is a letter or digit"
    )]
    Name,
    /// Another one has the name.
    #[error("another quota has this name")]
    NameTaken,
    /// Uses out of bounds.
    #[error("this is 1 to {MAX_USES}")]
    Uses,
    /// No generation begins at 0, and no two quotas draw on one balance.
    #[error("each quota has a generation of its own, from 1 on")]
    Generation,
}

/// All that is wrong with a list of quotas, and where: each place is a JSON pointer that begins at the
/// list, such as `/1/name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad quotas: {0:?}")]
pub struct BadQuotas(pub Vec<(String, BadQuota)>);

/// Whether whoever is bound by the one limit and refill can use no more than who is bound by the
/// other.
fn is_within(own: (u64, QuotaRefill), other: (u64, QuotaRefill)) -> bool {
    own.0 <= other.0 && own.1 <= other.1
}

/// What is wrong with quotas of these names and limits.
fn faults<'a>(quotas: impl ExactSizeIterator<Item = (&'a str, u64)>) -> Vec<(String, BadQuota)> {
    if quotas.len() > MAX_QUOTAS {
        return vec![(String::new(), BadQuota::TooMany)];
    }
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for (index, (name, limit)) in quotas.enumerate() {
        let mut check = |field, fits: bool, why| {
            if !fits {
                faults.push((format!("/{index}/{field}"), why));
            }
        };
        // It stands in paths, in which `.` and `..` mean something else.
        let named = is_name(name) && name.bytes().any(|it| it.is_ascii_alphanumeric());
        check("name", named, BadQuota::Name);
        check("name", names.insert(name), BadQuota::NameTaken);
        check("limit", (1..=MAX_USES).contains(&limit), BadQuota::Uses);
    }
    faults
}

/// Quotas as they are asked for, sorted by their names, which are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewQuotas(Box<[NewQuota]>);

impl NewQuotas {
    /// The quotas in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, NewQuota> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<NewQuota>> for NewQuotas {
    type Error = BadQuotas;

    fn try_from(mut quotas: Vec<NewQuota>) -> Result<Self, Self::Error> {
        let faults = faults(quotas.iter().map(|quota| (&*quota.name, quota.limit)));
        if !faults.is_empty() {
            return Err(BadQuotas(faults));
        }
        quotas.sort_unstable();
        Ok(Self(quotas.into_boxed_slice()))
    }
}

/// The quotas of a token or an account, sorted by their names, which are unique as their generations
/// are. None at all is no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Quota>")]
pub struct Quotas(Box<[Quota]>);

impl Quotas {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The quotas in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, Quota> {
        self.0.iter()
    }

    /// The quota of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Quota> {
        self.iter().find(|quota| &*quota.name == name)
    }

    /// The greatest generation among them; 0 if there is none.
    #[must_use]
    pub fn newest_generation(&self) -> u32 {
        let generations = self.iter().map(|quota| quota.generation);
        generations.max().unwrap_or_default()
    }

    /// These quotas as they become what is asked for: who keeps its name and its refill keeps its
    /// generation, and the others take the numbers after `last`, the greatest that the owner ever had.
    #[must_use]
    pub fn becoming(&self, asked: &NewQuotas, last: u32) -> Self {
        let mut last = last;
        let quotas = asked.iter().map(|asked| {
            let kept = self.get(&asked.name);
            let kept = kept.filter(|kept| kept.refill == asked.refill);
            let generation = kept.map_or_else(
                || {
                    last += 1;
                    last
                },
                |kept| kept.generation,
            );
            Quota {
                name: asked.name.clone(),
                limit: asked.limit,
                refill: asked.refill,
                generation,
            }
        });
        Self(quotas.collect())
    }

    /// Lets the quota of this name, if there is one, draw on the balance of this generation.
    pub fn renew(&mut self, name: &str, generation: u32) {
        let mut quotas = self.0.iter_mut();
        if let Some(quota) = quotas.find(|quota| &*quota.name == name) {
            quota.generation = generation;
        }
    }

    /// The names of those that drew on another balance in `before`: what was used there is forgotten.
    pub fn renewed<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        let renewed = self.iter().filter(move |now| {
            let before = before.get(&now.name);
            before.is_some_and(|before| before.generation != now.generation)
        });
        renewed.map(|quota| &*quota.name)
    }

    /// Whether whoever is bound by these can use no more than who is bound by `other`: each of the
    /// others is here too, by its name, with no higher limit and no more frequent refill.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        other.iter().all(|other| {
            let own = self.get(&other.name);
            own.is_some_and(|own| is_within((own.limit, own.refill), (other.limit, other.refill)))
        })
    }

    /// What they take in memory beside themselves, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let names: usize = self.iter().map(|quota| quota.name.len()).sum();
        size_of_val(&*self.0) + names
    }
}

impl From<NewQuotas> for Quotas {
    /// The quotas of an owner that never had any.
    fn from(asked: NewQuotas) -> Self {
        Self::default().becoming(&asked, 0)
    }
}

impl From<&Quotas> for NewQuotas {
    /// What to ask for to have the same.
    fn from(held: &Quotas) -> Self {
        let asked = held.iter().map(|quota| NewQuota {
            name: quota.name.clone(),
            limit: quota.limit,
            refill: quota.refill,
        });
        Self(asked.collect())
    }
}

impl<'a> IntoIterator for &'a Quotas {
    type Item = &'a Quota;
    type IntoIter = std::slice::Iter<'a, Quota>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl TryFrom<Vec<Quota>> for Quotas {
    type Error = BadQuotas;

    fn try_from(mut quotas: Vec<Quota>) -> Result<Self, Self::Error> {
        let mut faults = faults(quotas.iter().map(|quota| (&*quota.name, quota.limit)));
        let mut generations = BTreeSet::from([0]);
        for (index, quota) in quotas.iter().enumerate() {
            if !generations.insert(quota.generation) {
                faults.push((format!("/{index}/generation"), BadQuota::Generation));
            }
        }
        if !faults.is_empty() {
            return Err(BadQuotas(faults));
        }
        quotas.sort_unstable();
        Ok(Self(quotas.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests;
