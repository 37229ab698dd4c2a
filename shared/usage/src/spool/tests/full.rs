//! What happens when there is no room.

use uuid::Uuid;

use super::{all_numbers, cut_all, event, settings, try_open};
use crate::ranges::RangeSet;
use crate::spool::lane::LaneShared;
use crate::spool::prepare::Workshop;
use crate::spool::{FullPolicy, SpoolError, SpoolFull, SpoolSettings};

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
fn set_to_drop_it_counts_what_it_drops_and_keeps_the_numbers_whole() {
    let folder = tempfile::tempdir().unwrap();
    let spool = try_open(tight(folder.path(), FullPolicy::Drop)).unwrap();
    for number in 0..5_000 {
        spool.append(&event(number, "/a")).unwrap();
    }
    let stats = spool.stats();
    assert_eq!(stats.appended + stats.dropped, 5_000);
    assert!(stats.dropped > 0 && !spool.refuses());
    // No number was consumed by a dropped event: the ledger would wait for it for ever.
    let kept = all_numbers(&cut_all(&mut spool.take_tails()));
    assert_eq!(kept.len() as u64, stats.appended);
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
