//! The places of those who wait: so many in all, and so many for each holder, so that nobody can take
//! them from the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use parking_lot::Mutex;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use crate::caller::Caller;

/// How many may wait at once.
const ALL: usize = 1000;

/// How many of them may be of one holder.
pub(crate) const SHARE: usize = 50;

/// Whose share a place is from: all tokens and people of an account have one together, and each
/// operator key has its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    Operator(String),
    Account(AccountId),
}

impl Holder {
    pub(crate) fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Operator { name } => Self::Operator(name.clone()),
            // There is nothing to be heard of an account that is not registered yet, so those who
            // have none share one.
            caller => Self::Account(caller.account_id().unwrap_or(AccountId(Uuid::nil()))),
        }
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The holder has taken its share.
    Share,
    /// All are taken.
    All,
}

/// How many places each holder has taken.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<Holder, usize>>);

impl Places {
    /// A place until it is dropped.
    pub(super) fn take(&self, holder: Holder) -> Result<Place<'_>, Full> {
        let mut taken = self.0.lock();
        if taken.get(&holder).is_some_and(|own| *own >= SHARE) {
            return Err(Full::Share);
        }
        if taken.values().sum::<usize>() >= ALL {
            return Err(Full::All);
        }
        *taken.entry(holder.clone()).or_default() += 1;
        let places = self;
        Ok(Place { places, holder })
    }
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Place<'a> {
    places: &'a Places,
    holder: Holder,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        if let Entry::Occupied(mut own) = taken.entry(self.holder.clone()) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u128) -> Holder {
        Holder::Account(AccountId(Uuid::from_u128(number)))
    }

    #[test]
    fn a_holder_takes_no_more_than_its_share_and_gives_it_back() {
        let places = Places::default();
        let operator = |name: &str| Holder::Operator(name.to_owned());
        for (holder, other) in [
            (account(1), account(2)),
            (operator("one"), operator("other")),
        ] {
            let mut taken = Vec::new();
            for _ in 0..SHARE {
                taken.push(places.take(holder.clone()).unwrap());
            }
            assert_eq!(places.take(holder.clone()).unwrap_err(), Full::Share);
            assert!(places.take(other).is_ok());
            taken.pop();
            let again = places.take(holder.clone());
            assert!(again.is_ok());
            assert_eq!(places.take(holder).unwrap_err(), Full::Share);
        }
        assert!(places.0.lock().is_empty());
    }

    #[test]
    fn all_together_take_no_more_than_there_are() {
        let places = Places::default();
        let holders = (0..).map(account);
        let mut each = holders.flat_map(|holder| std::iter::repeat_n(holder, SHARE));
        let mut taken: Vec<_> = each
            .by_ref()
            .take(ALL)
            .map(|holder| places.take(holder).unwrap())
            .collect();
        let late = each.next().unwrap();
        assert_eq!(places.take(late.clone()).unwrap_err(), Full::All);
        taken.pop();
        assert!(places.take(late).is_ok());
    }
}
