//! A log that nobody reads.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use tollkeeper_runtime::logging;
use tollkeeper_runtime::settings::{LogFormat, LogSettings};

const WRITER: &str = "TOLLKEEPER_TEST_LOG_WRITER";

/// The process that logs: this test program, started again. In an ordinary run of the tests it has
/// nothing to do.
#[test]
fn writer_process() {
    if std::env::var_os(WRITER).is_none() {
        return;
    }
    let settings = LogSettings {
        filter: "info".to_owned(),
        format: LogFormat::Pretty,
    };
    let _log = logging::init(&settings).unwrap();
    // Far more than a pipe holds.
    for number in 0..20_000 {
        tracing::info!(number, "a line of the log, as long as lines often are");
    }
    // Not by print: the test harness would keep it.
    writeln!(std::io::stdout(), "went on").unwrap();
}

#[test]
fn a_pipe_that_nobody_empties_holds_up_nothing() {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_process", "--nocapture"])
        .env(WRITER, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let went_on = lines.any(|line| line.unwrap().contains("went on"));
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(went_on);
}
