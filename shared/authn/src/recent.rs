//! What was heard lately, to judge reads that were under way at the time.
//!
//! A read of the primary that begins after an event was heard contains it, because events are heard
//! only after their commit. A read that began before may not: putting its result into memory could
//! bring back what the event denied.

use std::collections::{HashMap, VecDeque};

use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::SecretHash;

/// What an event can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Token(TokenId),
    Account(AccountId),
    Secret(SecretHash),
    /// Some secret, and nobody has said which.
    AnySecret,
}

/// The last so many subjects, each with a local sequence number.
#[derive(Debug)]
pub(crate) struct Recent {
    next: u64,
    /// Everything before this has been forgotten.
    floor: u64,
    order: VecDeque<(u64, Subject)>,
    last: HashMap<Subject, u64>,
    capacity: usize,
}

impl Recent {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            next: 1,
            floor: 1,
            order: VecDeque::new(),
            last: HashMap::new(),
            capacity: capacity.max(1),
        }
    }

    /// The number that the next subject will get; a read notes it before it is sent.
    pub(crate) fn mark(&self) -> u64 {
        self.next
    }

    pub(crate) fn push(&mut self, subject: Subject) {
        let number = self.next;
        self.next += 1;
        self.order.push_back((number, subject));
        self.last.insert(subject, number);
        while self.order.len() > self.capacity {
            if let Some((gone, subject)) = self.order.pop_front() {
                self.floor = gone + 1;
                if self.last.get(&subject) == Some(&gone) {
                    self.last.remove(&subject);
                }
            }
        }
    }

    /// Forgets everything and with it the means to judge any read under way.
    pub(crate) fn forget(&mut self) {
        self.next += 1;
        self.floor = self.next;
        self.order.clear();
        self.last.clear();
    }

    /// Whether everything heard since `mark` is still known.
    pub(crate) fn reaches(&self, mark: u64) -> bool {
        mark >= self.floor
    }

    /// Whether `subject` was heard of since `mark`, as far as it is known.
    pub(crate) fn names(&self, subject: Subject, mark: u64) -> bool {
        self.last
            .get(&subject)
            .is_some_and(|number| *number >= mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn token(number: u128) -> Subject {
        Subject::Token(TokenId(Uuid::from_u128(number)))
    }

    #[test]
    fn it_names_what_came_since_the_mark_only() {
        let mut recent = Recent::new(10);
        recent.push(token(1));
        let mark = recent.mark();
        recent.push(token(2));
        assert!(!recent.names(token(1), mark) && recent.names(token(2), mark));
        recent.push(token(1));
        assert!(recent.names(token(1), mark));
    }

    #[test]
    fn what_it_forgot_it_does_not_vouch_for() {
        let mut recent = Recent::new(2);
        let mark = recent.mark();
        recent.push(token(1));
        recent.push(token(1));
        assert!(recent.reaches(mark));
        recent.push(token(3));
        assert!(!recent.reaches(mark) && recent.reaches(mark + 1));
        assert!(
            recent.names(token(1), mark + 1),
            "the later mention is kept"
        );
        recent.push(token(4));
        assert_eq!(recent.last.len(), 2, "no subject outlives its mention");
    }

    #[test]
    fn forgetting_refuses_every_read_under_way() {
        let mut recent = Recent::new(2);
        let mark = recent.mark();
        recent.forget();
        assert!(!recent.reaches(mark) && recent.reaches(recent.mark()));
    }
}
