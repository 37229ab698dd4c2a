//! What each message of a group is, judged by the ledger. Pure: the rules by which nothing counts
//! twice can be read and tested without a database.

use std::collections::{BTreeMap, HashMap};

use tollkeeper_usage::ranges::RangeSet;
use uuid::Uuid;

use crate::delivery::{Content, Delivery};
use crate::store::ledger::{LedgerRange, Settlement};

/// What is to be done with one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// None of its events is settled: count them.
    Count,
    /// All of them are settled already: nothing to do.
    Duplicate,
    /// Some are settled and some are not, which no honest sender produces: these go to the dead
    /// letters.
    Overlap(Vec<(u64, u64)>),
    /// It cannot be read: what of its range is not settled goes to the dead letters, with the whole
    /// message. Empty if it does not say its range.
    Undecodable(Vec<(u64, u64)>),
    /// It names the final number of its source.
    Close,
    /// It tells that these were dropped, of which nothing is known yet.
    Dropped(Vec<(u64, u64)>),
}

/// What the ledger holds of one source. Numbers that were dropped may be counted after all, if their
/// events arrive: by a spool that gave them up to a broker which had them, for instance.
#[derive(Default)]
struct Held {
    /// Counted, or dead.
    settled: RangeSet,
    dropped: RangeSet,
}

impl Held {
    /// What of the range nothing is known of.
    fn unknown(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let unsettled = self.settled.gaps(first, last).into_iter();
        unsettled
            .flat_map(|(first, last)| self.dropped.gaps(first, last))
            .collect()
    }
}

/// Judges messages in order. A message may be a duplicate of one before it in the same group.
pub(super) fn judge(group: &[Delivery], ledger: &[LedgerRange]) -> Vec<Judgement> {
    let mut held: HashMap<Uuid, Held> = HashMap::new();
    for range in ledger {
        let of_source = held.entry(range.source).or_default();
        let set = match range.settlement {
            Settlement::Counted | Settlement::Dead => &mut of_source.settled,
            Settlement::Dropped => &mut of_source.dropped,
        };
        set.insert(range.first, range.last);
    }
    group
        .iter()
        .map(|delivery| match &delivery.content {
            Content::Events(batch) => {
                let header = batch.header();
                let settled = &mut held.entry(header.source).or_default().settled;
                let gaps = settled.gaps(header.first, header.last);
                settled.insert(header.first, header.last);
                if gaps.is_empty() {
                    Judgement::Duplicate
                } else if gaps == [(header.first, header.last)] {
                    Judgement::Count
                } else {
                    Judgement::Overlap(gaps)
                }
            }
            Content::Close { .. } => Judgement::Close,
            Content::Dropped {
                source,
                first,
                last,
            } => {
                let held = held.entry(*source).or_default();
                let gaps = held.unknown(*first, *last);
                held.dropped.insert(*first, *last);
                if gaps.is_empty() {
                    Judgement::Duplicate
                } else {
                    Judgement::Dropped(gaps)
                }
            }
            Content::Broken { header: None, .. } => Judgement::Undecodable(Vec::new()),
            Content::Broken {
                header: Some(header),
                ..
            } => {
                let settled = &mut held.entry(header.source).or_default().settled;
                let gaps = settled.gaps(header.first, header.last);
                settled.insert(header.first, header.last);
                if gaps.is_empty() {
                    Judgement::Duplicate
                } else {
                    Judgement::Undecodable(gaps)
                }
            }
        })
        .collect()
}

/// The rows to delete from and to insert into the ledger so that it also holds `added`, with
/// neighbours of one settlement merged. What is counted is neither dead nor dropped, and what is dead is
/// not dropped. Both sorted.
pub(super) fn merge(
    ledger: &[LedgerRange],
    added: &[LedgerRange],
) -> (Vec<LedgerRange>, Vec<LedgerRange>) {
    let mut sets: BTreeMap<(Uuid, Settlement), RangeSet> = BTreeMap::new();
    for range in ledger.iter().chain(added) {
        let set = sets.entry((range.source, range.settlement)).or_default();
        set.insert(range.first, range.last);
    }
    for range in ledger.iter().chain(added) {
        for weaker in weaker_than(range.settlement) {
            if let Some(set) = sets.get_mut(&(range.source, *weaker)) {
                set.remove(range.first, range.last);
            }
        }
    }
    let mut after: Vec<LedgerRange> = sets
        .iter()
        .flat_map(|(&(source, settlement), set)| {
            set.iter().map(move |range| LedgerRange {
                source,
                first: *range.start(),
                last: *range.end(),
                settlement,
            })
        })
        .collect();
    after.sort_unstable();
    let mut before = ledger.to_vec();
    before.sort_unstable();
    let without = |from: &[LedgerRange], what: &[LedgerRange]| -> Vec<LedgerRange> {
        let missing = |range: &&LedgerRange| what.binary_search(range).is_err();
        from.iter().filter(missing).copied().collect()
    };
    (without(&before, &after), without(&after, &before))
}

/// What numbers are no more once they are settled so.
fn weaker_than(settlement: Settlement) -> &'static [Settlement] {
    match settlement {
        Settlement::Counted => &[Settlement::Dead, Settlement::Dropped],
        Settlement::Dead => &[Settlement::Dropped],
        Settlement::Dropped => &[],
    }
}

#[cfg(test)]
mod tests {
    use tollkeeper_usage::message::subject;
    use tollkeeper_usage::wire::BatchBuilder;

    use super::*;

    const SOURCE: Uuid = Uuid::from_u128(7);

    fn batch(first: u64, last: u64) -> Delivery {
        let mut builder = BatchBuilder::new(SOURCE, first);
        (first..=last).for_each(|_| builder.push(b"x"));
        Delivery::read(&subject(SOURCE), builder.finish().2)
    }

    fn broken(first: u64, last: u64) -> Delivery {
        let mut bytes = batch(first, last).payload.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        Delivery::read(&subject(SOURCE), bytes.into())
    }

    fn row(first: u64, last: u64, settlement: Settlement) -> LedgerRange {
        LedgerRange {
            source: SOURCE,
            first,
            last,
            settlement,
        }
    }

    #[test]
    fn the_ledger_decides() {
        use Settlement::{Counted, Dead};
        let ledger = [row(1, 10, Counted), row(11, 11, Dead), row(21, 30, Counted)];
        let judged = |delivery| judge(&[delivery], &ledger).remove(0);
        assert_eq!(judged(batch(31, 40)), Judgement::Count);
        assert_eq!(judged(batch(12, 20)), Judgement::Count);
        assert_eq!(judged(batch(1, 10)), Judgement::Duplicate);
        assert_eq!(
            judged(batch(2, 11)),
            Judgement::Duplicate,
            "contained in two rows"
        );
        assert_eq!(judged(batch(5, 15)), Judgement::Overlap(vec![(12, 15)]));
        assert_eq!(
            judged(batch(1, 40)),
            Judgement::Overlap(vec![(12, 20), (31, 40)])
        );
        assert_eq!(
            judged(broken(5, 15)),
            Judgement::Undecodable(vec![(12, 15)])
        );
        assert_eq!(judged(broken(1, 3)), Judgement::Duplicate);
        let junk = Delivery::read("usage.x", b"junk".as_slice().into());
        assert_eq!(judged(junk), Judgement::Undecodable(vec![]));
    }

    #[test]
    fn a_group_may_hold_the_same_batch_twice() {
        let group = [batch(1, 5), batch(1, 5), batch(3, 4), batch(4, 6)];
        assert_eq!(
            judge(&group, &[]),
            [
                Judgement::Count,
                Judgement::Duplicate,
                Judgement::Duplicate,
                Judgement::Overlap(vec![(6, 6)])
            ]
        );
    }

    #[test]
    fn a_message_speaks_only_for_the_source_in_its_subject() {
        let forged = Delivery::read(&subject(Uuid::from_u128(8)), batch(1, 5).payload);
        assert_eq!(judge(&[forged], &[]), [Judgement::Undecodable(vec![])]);
    }

    fn dropped(first: u64, last: u64) -> Delivery {
        Delivery::read(
            &subject(SOURCE),
            BatchBuilder::dropped(SOURCE, first, last).1,
        )
    }

    #[test]
    fn what_was_dropped_counts_when_it_arrives_and_is_no_longer_dropped() {
        use Settlement::{Counted, Dead, Dropped};
        let ledger = [row(1, 10, Counted), row(11, 30, Dropped)];
        let group = [batch(15, 20), dropped(5, 40), dropped(12, 39)];
        assert_eq!(
            judge(&group, &ledger),
            [
                Judgement::Count,
                Judgement::Dropped(vec![(31, 40)]),
                Judgement::Duplicate
            ]
        );
        assert_eq!(
            judge(&[batch(8, 12)], &ledger),
            [Judgement::Overlap(vec![(11, 12)])]
        );
        let added = [
            row(15, 20, Counted),
            row(25, 25, Dead),
            row(31, 40, Dropped),
        ];
        let (old, new) = merge(&ledger, &added);
        assert_eq!(old, [row(11, 30, Dropped)]);
        assert_eq!(
            new,
            [
                row(11, 14, Dropped),
                row(15, 20, Counted),
                row(21, 24, Dropped),
                row(25, 25, Dead),
                row(26, 40, Dropped)
            ]
        );
        let (old, new) = merge(&[row(3, 4, Dropped)], &[row(1, 9, Counted)]);
        assert_eq!(
            (old, new),
            (vec![row(3, 4, Dropped)], vec![row(1, 9, Counted)])
        );
    }

    #[test]
    fn a_group_may_report_as_dropped_what_it_also_holds() {
        let group = [dropped(1, 5), batch(1, 5), dropped(2, 3)];
        assert_eq!(
            judge(&group, &[]),
            [
                Judgement::Dropped(vec![(1, 5)]),
                Judgement::Count,
                Judgement::Duplicate
            ]
        );
    }

    #[test]
    fn neighbours_of_one_settlement_become_one_row() {
        use Settlement::{Counted, Dead};
        let ledger = [row(1, 10, Counted), row(21, 30, Counted), row(31, 31, Dead)];
        let added = [
            row(11, 20, Counted),
            row(32, 32, Dead),
            row(40, 41, Counted),
        ];
        let (old, new) = merge(&ledger, &added);
        assert_eq!(old, ledger);
        assert_eq!(
            new,
            [row(1, 30, Counted), row(31, 32, Dead), row(40, 41, Counted)]
        );
    }

    #[test]
    fn rows_that_do_not_change_are_left_alone() {
        use Settlement::Counted;
        let (old, new) = merge(&[row(1, 10, Counted)], &[row(12, 20, Counted)]);
        assert_eq!((old, new), (vec![], vec![row(12, 20, Counted)]));
    }
}
