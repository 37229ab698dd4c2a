//! What happens when nothing on the disk can be opened, made or deleted any more.
//!
//! These tests run as whoever may do everything, so something else has to stand in the way of a file.

use std::fs;
use std::path::PathBuf;

use super::{all_numbers, cut_all, event, open};
use crate::ranges::RangeSet;
use crate::spool::Spool;

/// Where the cuts of the segment in use stand.
fn cuts(spool: &Spool) -> PathBuf {
    let lane = spool.folder.lane(spool.sources()[0]);
    lane.join("0000000000.cuts")
}

#[test]
fn a_segment_that_cannot_be_taken_over_waits_and_is_never_taken_for_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1);
    fs::remove_file(cuts(&spool)).unwrap();
    fs::create_dir(cuts(&spool)).unwrap();
    let mut number = 0;
    // More than the first segment takes.
    while spool.given()[0].1 < 500 {
        spool.append(&event(number, "/a")).unwrap();
        number += 1;
    }
    let mut tails = spool.take_tails();
    for _ in 0..3 {
        tails[0].cut(&RangeSet::default()).unwrap_err();
        assert_eq!(tails[0].uncut(), number);
    }
    fs::remove_dir(cuts(&spool)).unwrap();
    assert_eq!(
        all_numbers(&cut_all(&mut tails)),
        (0..number).collect::<Vec<_>>()
    );
}
