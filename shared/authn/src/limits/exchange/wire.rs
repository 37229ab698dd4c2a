//! What nodes tell one another: who is there, and what was taken of which limit.
//!
//! Everything that comes in is checked, because whoever may send here may send anything.

use serde::{Deserialize, Serialize};
use tollkeeper_domain::rate_limit::{MAX_UNITS, MAX_WINDOW_SECONDS};
use uuid::Uuid;

use super::super::bucket::{Key, Owner};
use super::super::gcra::{Rate, ticks};

/// The form of the messages. Those of another one are left to nodes that know it.
const VERSION: u32 = 1;

/// The most that one message tells of.
pub(super) const MOST_TAKEN: usize = 1_000;

/// More than a message of that many is never long.
const MOST_BYTES: usize = 512 * 1024;

/// The longest name of a limit.
const MOST_NAME_BYTES: usize = 32;

/// The longest that a whole burst takes to come back.
const MOST_TICKS: u64 = ticks(MAX_WINDOW_SECONDS as u64 * 1_000_000_000) * 2;

/// One message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Message {
    version: u32,
    /// Who tells.
    pub(super) node: Uuid,
    /// That it tells nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) leaves: bool,
    /// Empty where there is nothing to tell but that the node is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) taken: Vec<Taken>,
}

/// What was taken of a limit since the last message that told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    owner: Owner,
    name: Box<str>,
    pub(super) units: u64,
    /// By which a node makes a bucket that has none yet.
    interval: u64,
    burst: u32,
}

/// Why a message is not heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the message is longer than any of ours")]
    TooLong,
    #[error("the message is not of this form")]
    Form,
    #[error("the message is of another version")]
    Version,
    #[error("the message tells what cannot be")]
    Nonsense,
}

impl Message {
    pub(super) fn new(node: Uuid, taken: Vec<Taken>) -> Self {
        Self {
            version: VERSION,
            node,
            leaves: false,
            taken,
        }
    }

    /// The last one of a node.
    pub(super) fn farewell(node: Uuid) -> Self {
        Self {
            leaves: true,
            ..Self::new(node, Vec::new())
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, Unreadable> {
        if payload.len() > MOST_BYTES {
            return Err(Unreadable::TooLong);
        }
        let message: Self = serde_json::from_slice(payload).map_err(|_| Unreadable::Form)?;
        if message.version != VERSION {
            return Err(Unreadable::Version);
        }
        if message.taken.len() > MOST_TAKEN || !message.taken.iter().all(Taken::may_be) {
            return Err(Unreadable::Nonsense);
        }
        Ok(message)
    }
}

impl Taken {
    pub(super) fn new(key: &Key, rate: Rate, units: u64) -> Self {
        Self {
            owner: key.owner,
            name: key.name.clone(),
            units,
            interval: rate.interval,
            burst: rate.burst,
        }
    }

    pub(super) fn key(&self) -> Key {
        Key {
            owner: self.owner,
            name: self.name.clone(),
        }
    }

    pub(super) fn rate(&self) -> Rate {
        Rate {
            interval: self.interval,
            burst: self.burst,
        }
    }

    fn may_be(&self) -> bool {
        let longest = self.interval.checked_mul(self.burst.into());
        (1..=MOST_NAME_BYTES).contains(&self.name.len())
            && self.units > 0
            && self.interval > 0
            && (1..=MAX_UNITS).contains(&self.burst)
            && longest.is_some_and(|longest| longest <= MOST_TICKS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::gcra::rate;
    use super::*;

    fn taken() -> Taken {
        let key = Key {
            owner: Owner::Account(Uuid::from_u128(7)),
            name: "requests".into(),
        };
        Taken::new(&key, rate(10, 60, 10), 3)
    }

    #[test]
    fn what_is_written_is_read() {
        let node = Uuid::from_u128(1);
        let read = Message::read(&Message::new(node, vec![taken()]).write()).unwrap();
        assert_eq!((read.node, read.leaves), (node, false));
        assert_eq!(read.taken, [taken()]);
        assert_eq!(
            read.taken[0].key().owner,
            Owner::Account(Uuid::from_u128(7))
        );
        assert_eq!(read.taken[0].rate(), rate(10, 60, 10));
        let read = Message::read(&Message::farewell(node).write()).unwrap();
        assert!(read.leaves && read.taken.is_empty());
        for rate in [
            rate(1, MAX_WINDOW_SECONDS, 1),
            rate(MAX_UNITS, MAX_WINDOW_SECONDS, MAX_UNITS),
            rate(MAX_UNITS, 1, 1),
        ] {
            assert!(
                Taken::new(&taken().key(), rate, u64::MAX).may_be(),
                "{rate:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_is_not_heeded() {
        let node = Uuid::from_u128(1);
        let read = |taken| Message::read(&Message::new(node, taken).write()).map(drop);
        let changed = |change: fn(&mut Taken)| {
            let mut taken = taken();
            change(&mut taken);
            read(vec![taken])
        };
        assert_eq!(read(vec![taken(); MOST_TAKEN]), Ok(()));
        assert_eq!(
            read(vec![taken(); MOST_TAKEN + 1]),
            Err(Unreadable::Nonsense)
        );
        for change in [
            (|it| it.units = 0) as fn(&mut Taken),
            |it| it.interval = 0,
            |it| it.interval = u64::MAX,
            |it| it.burst = 0,
            |it| it.burst = u32::MAX,
            |it| it.name = "".into(),
            |it| it.name = "a".repeat(33).into(),
        ] {
            assert_eq!(changed(change), Err(Unreadable::Nonsense));
        }
        let other = serde_json::json!({ "version": 2, "node": node, "more": 1 }).to_string();
        assert_eq!(
            Message::read(other.as_bytes()).map(drop),
            Err(Unreadable::Version)
        );
        for garbage in ["", "{}", "[]", "null", "\u{0}\u{ff}", r#"{"version":1}"#] {
            let read = Message::read(garbage.as_bytes()).map(drop);
            assert_eq!(read, Err(Unreadable::Form), "{garbage}");
        }
        let long = vec![b' '; MOST_BYTES + 1];
        assert_eq!(Message::read(&long).map(drop), Err(Unreadable::TooLong));
    }
}
