//! What happens when there is no room.

use uuid::Uuid;

use super::{all_numbers, cut_all, event, settings, try_open};
use crate::ranges::RangeSet;
use crate::spool::lane::LaneShared;
use crate::spool::prepare::Workshop;
use crate::spool::tail::Tail;
use crate::spool::{FullPolicy, SpoolError, SpoolFull, SpoolSettings};
use crate::wire::{Batch, BatchKind, decode};

fn tight(dir: &std::path::Path, full_policy: FullPolicy) -> SpoolSettings {
    SpoolSettings {
        max_bytes: 64 << 10,
        full_policy,
        ..settings(dir, 1)
    }
}

#[test]
fn a_full_spool_refuses_and_accepts_again_once_the_ledger_covers_something() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Refuse)).unwrap();
    let mut tails = spool.take_tails();
    let mut accepted = 0;
    while spool.append(&event(accepted, "/a")) != Err(SpoolFull) {
        accepted += 1;
    }
    assert!(accepted > 100 && spool.refuses());
    let stats = spool.stats();
    assert!(stats.full && stats.bytes <= stats.max_bytes);
    assert_eq!(
        (stats.appended, stats.refused, stats.dropped),
        (accepted, 1, 0)
    );

    let batches = cut_all(&mut tails);
    assert_eq!(all_numbers(&batches), (0..accepted).collect::<Vec<_>>());
    let settled: RangeSet = [(1, accepted)].into_iter().collect();
    let settled = tails[0].settle(&settled, true);
    spool.delete(tails[0].source(), settled);
    for number in 0..100 {
        spool.append(&event(accepted + number, "/a")).unwrap();
    }
    assert_eq!(cut_all(&mut tails).last().unwrap().last, accepted + 100);
}

#[test]
fn a_full_spool_stays_full_while_nothing_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Refuse)).unwrap();
    let mut tails = spool.take_tails();
    while spool.append(&event(0, "/a")) != Err(SpoolFull) {}
    for _ in 0..100 {
        let settled = tails[0].settle(&RangeSet::default(), true);
        spool.delete(tails[0].source(), settled);
        assert!(spool.refuses());
    }
}

#[test]
fn set_to_drop_it_reports_what_it_drops_while_it_runs_and_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Drop)).unwrap();
    for number in 0..5_000 {
        spool.append(&event(number, "/a")).unwrap();
    }
    let stats = spool.stats();
    assert_eq!(stats.appended + stats.dropped, 5_000);
    assert!(stats.dropped > 0 && !spool.refuses());
    // Whether a segment that was still being made came in the middle of it does not matter.
    let reported = |tail: &mut Tail| {
        let mut all = RangeSet::default();
        let mut dropped = 0;
        for batch in cut_all(std::slice::from_mut(tail)) {
            assert!(all.gaps(batch.first, batch.last) == [(batch.first, batch.last)]);
            all.insert(batch.first, batch.last);
            if batch.kind == BatchKind::Dropped {
                dropped += batch.last + 1 - batch.first;
            }
        }
        assert!(all.covers(1, 5_000) && all.count() == 5_000);
        assert_eq!(dropped, stats.dropped);
    };
    reported(&mut spool.take_tails()[0]);
    drop(spool);

    let spool = try_open(tight(folder.path(), FullPolicy::Drop)).unwrap();
    let mut earlier = spool.take_tails().swap_remove(0);
    reported(&mut earlier);
    assert_eq!(earlier.final_number(), Some(5_000));
}

#[test]
fn what_follows_dropped_events_has_its_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Drop)).unwrap();
    let mut tails = spool.take_tails();
    let mut number = 0;
    let mut append_until = |is_over: &dyn Fn() -> bool| {
        while !is_over() {
            spool.append(&event(number, "/a")).unwrap();
            number += 1;
        }
        number
    };
    let dropped = || spool.stats().dropped;
    append_until(&|| dropped() >= 10);
    let before = cut_all(&mut tails);
    let kept = spool.stats().appended;
    let all: RangeSet = [(1, u64::MAX - 1)].into_iter().collect();
    let settled = tails[0].settle(&all, false);
    spool.delete(tails[0].source(), settled);
    // A record that would still have fitted into the full segment is not mistaken for a dropped one.
    let total = append_until(&|| spool.stats().appended > kept);
    let after = cut_all(&mut tails);
    let ranges: Vec<_> = before.iter().chain(&after).collect();
    let mut next = 1;
    for batch in &ranges {
        assert_eq!(batch.first, next);
        next = batch.last + 1;
    }
    assert_eq!(next, total + 1);
    let reported = ranges.iter().filter(|it| it.kind == BatchKind::Dropped);
    let reported: u64 = reported.map(|it| it.last + 1 - it.first).sum();
    assert_eq!(reported, dropped());
    let last = Batch::read(after.last().unwrap().message.clone()).unwrap();
    let (sequence, record, _) = last.records().next().unwrap();
    assert_eq!(
        (sequence, decode(record).unwrap().token_version),
        (total, total - 1)
    );
}

#[test]
fn a_lane_without_a_segment_remembers_what_it_dropped() {
    let folder = tempfile::tempdir().unwrap();
    // What one run made ahead and never used is room for the next, until there is none.
    loop {
        let spool = try_open(tight(folder.path(), FullPolicy::Refuse)).unwrap();
        if spool.append(&event(0, "/a")) == Err(SpoolFull) {
            break;
        }
        while spool.append(&event(0, "/a")) != Err(SpoolFull) {}
    }
    let spool = try_open(tight(folder.path(), FullPolicy::Drop)).unwrap();
    for number in 0..7 {
        spool.append(&event(number, "/a")).unwrap();
    }
    let source = spool.sources()[0];
    let dropped = spool.stats().dropped;
    drop(spool);

    let spool = try_open(tight(folder.path(), FullPolicy::Drop)).unwrap();
    let mut tails = spool.take_tails();
    let batches = cut_all(&mut tails);
    let reported = batches
        .iter()
        .filter(|it| it.source == source && it.kind == BatchKind::Dropped);
    let reported: u64 = reported.map(|it| it.last + 1 - it.first).sum();
    assert_eq!((reported, dropped), (7, 7));
}

#[test]
fn a_full_spool_gives_up_what_the_broker_has_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Refuse)).unwrap();
    let mut tails = spool.take_tails();
    let mut accepted = 0;
    while spool.append(&event(accepted, "/a")) != Err(SpoolFull) {
        accepted += 1;
    }
    let batches = cut_all(&mut tails);
    assert!(tails[0].release(&RangeSet::default()).is_none());
    let almost: RangeSet = [(2, accepted)].into_iter().collect();
    assert!(tails[0].release(&almost).is_none());
    let all: RangeSet = [(1, accepted)].into_iter().collect();
    let mut released = 0;
    while let Some(segment) = tails[0].release(&all) {
        spool.delete(tails[0].source(), segment);
        released += 1;
    }
    assert!(released > 1);
    for number in 0..100 {
        spool.append(&event(accepted + number, "/a")).unwrap();
    }
    // The segment that was in use was not given up.
    let newest = batches.last().unwrap();
    let again = tails[0].again(newest.first, newest.last).unwrap().unwrap();
    assert_eq!(
        (again.kind, &again.message),
        (BatchKind::Events, &newest.message)
    );
    // What the broker then turns out to have lost is dropped.
    let lost = tails[0].again(1, newest.last).unwrap().unwrap();
    assert_eq!((lost.kind, lost.first), (BatchKind::Dropped, 1));
    assert!(lost.last < newest.first);
}

#[test]
fn a_full_spool_opens_again_and_empties_itself() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Refuse)).unwrap();
    let mut accepted = 0;
    while spool.append(&event(accepted, "/a")) != Err(SpoolFull) {
        accepted += 1;
    }
    drop(spool);

    let spool = try_open(tight(folder.path(), FullPolicy::Refuse)).unwrap();
    // What the first run made ahead and never used is room again, and no more than that.
    while spool.append(&event(accepted, "/a")) != Err(SpoolFull) {
        accepted += 1;
    }
    let mut tails = spool.take_tails();
    let mut batches = cut_all(&mut tails);
    assert_eq!(all_numbers(&batches), (0..accepted).collect::<Vec<_>>());
    for tail in &mut tails {
        let last = batches
            .iter()
            .filter(|it| it.source == tail.source())
            .map(|it| it.last)
            .max();
        let ledger: RangeSet = last.map(|last| (1, last)).into_iter().collect();
        let settled = tail.settle(&ledger, true);
        spool.delete(tail.source(), settled);
    }
    for number in 0..100 {
        spool.append(&event(number, "/b")).unwrap();
    }
    batches.extend(cut_all(&mut tails));
    let expected: Vec<_> = (0..accepted).chain(0..100).collect();
    assert_eq!(all_numbers(&batches), expected);
}

#[test]
fn a_request_makes_one_small_segment_and_only_when_none_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings::new(folder.path());
    let workshop = Workshop::new(&settings, settings.segment_bytes);
    let lane = LaneShared::new(Uuid::nil(), folder.path().join("lane"));
    for _ in 0..2 {
        assert!(workshop.make_now(&lane));
        assert_eq!(lane.prepared(), 1);
        assert!(workshop.bytes() < 2 << 20, "{}", workshop.bytes());
    }
}

#[test]
fn a_segment_that_was_still_being_made_is_removed_whatever_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let lane = folder.path().join("01890a5d-ac96-774b-bcce-b302099a8057");
    let mut header = [0; 8192];
    header[..8].copy_from_slice(b"TKSEG\0\0\x01");
    for bytes in [0, 8, 63, 64, 65, 72, 4097, 8192] {
        std::fs::create_dir_all(&lane).unwrap();
        std::fs::write(lane.join("0000000000.seg"), &header[..bytes]).unwrap();
        assert!(try_open(settings(folder.path(), 1)).is_ok(), "{bytes}");
        assert!(!lane.exists(), "{bytes}");
    }
    // One that was begun may hold records; whoever cut it short has to be found.
    header[16] = 1;
    std::fs::create_dir_all(&lane).unwrap();
    std::fs::write(lane.join("0000000000.seg"), &header[..4097]).unwrap();
    let refused = try_open(settings(folder.path(), 1));
    assert!(matches!(refused, Err(SpoolError::Io { .. })));
    assert!(lane.join("0000000000.seg").exists());
}

#[test]
fn impossible_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in [
        SpoolSettings {
            lanes: 0,
            ..settings(folder.path(), 1)
        },
        SpoolSettings {
            segment_bytes: 512,
            ..settings(folder.path(), 1)
        },
        SpoolSettings {
            max_bytes: 20 << 10,
            ..settings(folder.path(), 1)
        },
    ] {
        assert!(matches!(try_open(wrong), Err(SpoolError::Settings(_))));
    }
}
