//! `kill -9` of a process that appends: what it had acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{all_numbers, cut_all, event, open};

const FOLDER: &str = "TOLLKEEPER_TEST_SPOOL_WRITER";

/// The process to be killed: this test binary, started again with a folder to write to. In an
/// ordinary run of the tests it has nothing to do.
#[test]
fn writer_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let spool = open(&PathBuf::from(folder), 1);
    // Raw writes: the acknowledgement must leave the process before the next event, unbuffered.
    let mut out = std::io::stderr();
    for number in 0.. {
        spool.append(&event(number, "/some/path")).unwrap();
        writeln!(out, "{number}").unwrap();
    }
}

#[test]
fn acknowledged_appends_survive_kill_9() {
    for kill_after in [1, 90, 700] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "spool::tests::kill::writer_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stderr.take().unwrap()).lines();
        let mut acknowledged = None;
        for line in lines.by_ref().map_while(Result::ok).take(kill_after) {
            acknowledged = line.parse::<u64>().ok().or(acknowledged);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // What was in the pipe was acknowledged as well; a cut last line was not.
        for line in lines.map_while(Result::ok) {
            acknowledged = line.parse::<u64>().ok().max(acknowledged);
        }
        let acknowledged = acknowledged.expect("the writer acknowledged something");

        let spool = open(folder.path(), 1);
        let mut tails = spool.take_tails();
        let earlier = tails.iter().filter(|tail| !tail.is_live()).count();
        assert_eq!(earlier, 1);
        let found = all_numbers(&cut_all(&mut tails));
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
        assert!(
            found.len() as u64 > acknowledged,
            "{} of {acknowledged}",
            found.len()
        );
        // One event may have been appended and not yet acknowledged.
        assert!(found.len() as u64 <= acknowledged + 2);
    }
}
