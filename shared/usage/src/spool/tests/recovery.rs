//! Finding again what an earlier run left behind.

use std::path::Path;

use super::{all_numbers, cut_all, event, open, settings, try_open};
use crate::ranges::RangeSet;
use crate::spool::SpoolError;

#[test]
fn a_folder_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), 1);
    let error = try_open(settings(folder.path(), 1)).unwrap_err();
    assert!(
        matches!(&error, SpoolError::InUse(dir) if dir == folder.path()),
        "{error}"
    );
    drop(first);
    open(folder.path(), 1);
}

#[test]
fn a_disk_that_takes_nothing_is_named_with_what_it_refused() {
    // No file system of ours: it refuses whoever asks.
    let folder = Path::new("/proc/tollkeeper-spool");
    let error = try_open(settings(folder, 1)).unwrap_err();
    assert!(matches!(&error, SpoolError::Io { path, .. } if path == folder));
    let text = error.to_string();
    assert_eq!(
        text,
        "cannot create the spool folder /proc/tollkeeper-spool: No such file or directory (os error 2)"
    );
}

#[test]
fn an_unused_run_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let spool = open(folder.path(), 2);
        drop(spool);
    }
    let spool = open(folder.path(), 2);
    let mut tails = spool.take_tails();
    // A begun segment without a record is the whole trace of an idle lane.
    let earlier = tails.iter_mut().filter(|tail| !tail.is_live());
    for tail in earlier {
        assert!(tail.cut(&RangeSet::default()).unwrap().is_none());
        assert_eq!(tail.final_number(), Some(0));
        assert!(tail.settle(&RangeSet::default(), true).lane_is_done);
    }
}

#[test]
fn each_start_is_a_new_source() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        open(folder.path(), 1).append(&event(number, "/a")).unwrap();
    }
    let spool = open(folder.path(), 1);
    let batches = cut_all(&mut spool.take_tails());
    assert_eq!(super::numbers(&batches).len(), 3);
    let mut found = all_numbers(&batches);
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2]);
}

#[test]
fn the_final_number_outlives_another_kill_while_earlier_events_wait() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    for number in 0..1_200 {
        spool.append(&event(number, "/a")).unwrap();
    }
    drop(spool);

    // The ledger lacks only the first event.
    let ledger: RangeSet = [(2, 1_200)].into_iter().collect();
    for _ in 0..2 {
        let spool = open(folder.path(), 1);
        let mut tails = spool.take_tails();
        cut_all(&mut tails);
        let earlier = tails
            .iter_mut()
            .find(|tail| tail.final_number() == Some(1_200));
        let earlier = earlier.expect("the final number is known");
        let settled = earlier.settle(&ledger, true);
        assert!(!settled.lane_is_done);
        spool.delete(earlier.source(), settled);
    }

    // All is counted, and the process is killed again before it could tell the final number.
    let ledger: RangeSet = [(1, 1_200)].into_iter().collect();
    for is_told in [false, true] {
        let spool = open(folder.path(), 1);
        let mut tails = spool.take_tails();
        cut_all(&mut tails);
        let earlier = tails
            .iter_mut()
            .find(|tail| tail.final_number() == Some(1_200));
        let earlier = earlier.expect("the final number is known");
        let settled = earlier.settle(&ledger, is_told);
        assert_eq!(settled.lane_is_done, is_told);
        spool.delete(earlier.source(), settled);
    }
}

#[test]
fn segments_come_back_in_the_order_they_were_begun() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    for number in 0..400 {
        spool.append(&event(number, "/a")).unwrap();
    }
    let lane = folder
        .path()
        .join(spool.take_tails()[0].source().to_string());
    drop(spool);
    // As if the first had been made in haste while the second was being made.
    let segment = |index: u32| lane.join(format!("{index:010}.seg"));
    let (mut first, mut second) = (
        std::fs::read(segment(0)).unwrap(),
        std::fs::read(segment(1)).unwrap(),
    );
    first[8..12].copy_from_slice(&1_u32.to_le_bytes());
    second[8..12].copy_from_slice(&0_u32.to_le_bytes());
    std::fs::write(segment(1), first).unwrap();
    std::fs::write(segment(0), second).unwrap();

    let batches = cut_all(&mut open(folder.path(), 1).take_tails());
    assert_eq!(all_numbers(&batches), (0..400).collect::<Vec<_>>());
}

#[test]
fn what_the_ledger_holds_is_not_cut_again() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    for number in 0..1_200 {
        spool.append(&event(number, "/a")).unwrap();
    }
    let first_run = cut_all(&mut spool.take_tails());
    drop(spool);

    let ledger: RangeSet = [(first_run[0].first, first_run[0].last), (900, 1_000)]
        .into_iter()
        .collect();
    let spool = open(folder.path(), 1);
    let mut tails = spool.take_tails();
    let mut again = Vec::new();
    while let Some(sealed) = tails[0].cut(&ledger).unwrap() {
        again.push((sealed.first, sealed.last));
    }
    let expected: Vec<_> = first_run[1..]
        .iter()
        .map(|cut| (cut.first, cut.last))
        .collect();
    assert_eq!(
        again, expected,
        "a batch that is partly settled is repeated as it was cut"
    );
}

#[test]
fn without_cuts_only_the_unsettled_records_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    for number in 0..60 {
        spool.append(&event(number, "/a")).unwrap();
    }
    drop(spool);
    let ledger: RangeSet = [(1, 10), (21, 30)].into_iter().collect();
    let spool = open(folder.path(), 1);
    let mut tails = spool.take_tails();
    let mut cut = Vec::new();
    while let Some(sealed) = tails[0].cut(&ledger).unwrap() {
        cut.push((sealed.first, sealed.last));
    }
    assert_eq!(cut, [(11, 20), (31, 60)]);
}

#[test]
fn tokens_and_queries_do_not_reach_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let token = format!("tk_live_{}", "a1".repeat(19));
    let spool = open(folder.path(), 1);
    let endpoint = format!("/use/{token}?key={token}");
    spool.append(&event(1, &endpoint)).unwrap();
    let batches = cut_all(&mut spool.take_tails());
    let text = String::from_utf8_lossy(&batches[0].message).into_owned();
    assert!(text.contains("/use/[redacted]") && !text.contains("a1a1") && !text.contains("key="));
}

#[test]
fn lanes_are_independent_under_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 3);
    let mut tails = spool.take_tails();
    let mut batches = Vec::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6_u64)
            .map(|thread| {
                let spool = &spool;
                scope.spawn(move || {
                    for number in 0..4_000 {
                        spool
                            .append(&event(thread * 10_000 + number, "/path"))
                            .unwrap();
                    }
                })
            })
            .collect();
        while !writers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            batches.extend(cut_all(&mut tails));
        }
    });
    batches.extend(cut_all(&mut tails));
    let mut found = all_numbers(&batches);
    found.sort_unstable();
    let expected: Vec<u64> = (0..6)
        .flat_map(|thread| thread * 10_000..thread * 10_000 + 4_000)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(spool.stats().appended, 24_000);
}
