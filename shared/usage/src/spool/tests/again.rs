//! Batches that are to be sent once more.

use super::{cut_all, event, open};
use crate::ranges::RangeSet;
use crate::spool::tail::{Sealed, Tail};
use crate::wire::BatchKind;

fn same(again: Option<Sealed>, before: &Sealed) {
    let again = again.expect("the batch is held");
    assert_eq!((again.first, again.last), (before.first, before.last));
    assert_eq!(again.checksum, before.checksum);
    assert_eq!(again.message, before.message);
    assert_eq!(again.oldest_micros, before.oldest_micros);
}

fn read_again(tail: &mut Tail, batches: &[Sealed]) {
    for batch in batches {
        same(tail.again(batch.first, batch.last).unwrap(), batch);
    }
    for batch in batches.iter().rev() {
        // One number is enough to ask for its batch.
        same(tail.again(batch.last, batch.last).unwrap(), batch);
    }
    let all = tail.again(1, u64::MAX).unwrap();
    same(all, &batches[0]);
}

#[test]
fn batches_come_again_as_they_were_cut_whatever_is_cut_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    let mut tails = spool.take_tails();
    let mut batches = Vec::new();
    // Several batches a segment, several segments, and the newest one goes on.
    for round in 0..12 {
        for number in 0..70 {
            spool.append(&event(round * 70 + number, "/a")).unwrap();
        }
        batches.extend(cut_all(&mut tails));
        read_again(&mut tails[0], &batches);
    }
    let last = batches.last().unwrap().last;
    assert!(tails[0].again(last + 1, last + 5).unwrap().is_none());
    drop((spool, tails));

    let spool = open(folder.path(), 1);
    let mut tails = spool.take_tails();
    assert_eq!(cut_all(&mut tails).len(), batches.len());
    read_again(&mut tails[0], &batches);
}

#[test]
fn what_was_deleted_comes_as_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    let mut tails = spool.take_tails();
    for number in 0..1_000 {
        spool.append(&event(number, "/a")).unwrap();
    }
    let batches = cut_all(&mut tails);
    let ledger: RangeSet = [(1, 1_000)].into_iter().collect();
    let settled = tails[0].settle(&ledger, false);
    spool.delete(tails[0].source(), settled);
    let dropped = tails[0].again(5, 10).unwrap().unwrap();
    assert_eq!(
        (dropped.kind, dropped.first, dropped.last),
        (BatchKind::Dropped, 5, 10)
    );
    // The segment in use is still there.
    let newest = batches.last().unwrap();
    let dropped = tails[0].again(5, 1_000).unwrap().unwrap();
    assert_eq!((dropped.kind, dropped.first), (BatchKind::Dropped, 5));
    assert!(dropped.last < newest.first);
    same(tails[0].again(newest.first, 1_000).unwrap(), newest);
}

#[test]
fn records_that_were_settled_without_a_batch_do_not_come() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    for number in 0..60 {
        spool.append(&event(number, "/a")).unwrap();
    }
    drop(spool);
    let ledger: RangeSet = [(1, 10), (21, 30)].into_iter().collect();
    let spool = open(folder.path(), 1);
    let mut tails = spool.take_tails();
    let mut batches = Vec::new();
    while let Some(sealed) = tails[0].cut(&ledger).unwrap() {
        batches.push(sealed);
    }
    assert_eq!(batches.len(), 2);
    same(tails[0].again(11, 60).unwrap(), &batches[0]);
    same(tails[0].again(21, 60).unwrap(), &batches[1]);
    assert!(tails[0].again(1, 10).unwrap().is_none());
}
