//! A request that is counted meets no page faults.

use std::fs;

use super::{SpoolSettings, event, settings, try_open};

const PAGE: usize = 4096;
const SEGMENT: usize = 1 << 20;

/// The page faults of this thread so far (`proc_pid_stat(5)`, field 10).
fn faults() -> usize {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// In each the file system may wait for its journal, and the request with it.
#[test]
fn the_pages_of_a_segment_are_ready_to_be_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let spool = try_open(SpoolSettings {
        segment_bytes: SEGMENT as u64,
        ..settings(dir.path(), 1)
    });
    let spool = spool.unwrap();
    spool.append(&event(0, "/warm")).unwrap();
    let before = faults();
    let endpoint = format!("/{}", "a".repeat(400));
    let events = SEGMENT / 2 / endpoint.len();
    for number in 1..=events as u64 {
        spool.append(&event(number, &endpoint)).unwrap();
    }
    let (met, pages) = (faults() - before, SEGMENT / 2 / PAGE);
    assert!(met < pages / 4, "{met} faults in {pages} pages");
}
