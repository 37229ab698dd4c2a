//! The tests themselves.

use std::process::{Command, Stdio};
use std::thread;

use crate::error::Error;
use crate::postgres::Throwaway;
use crate::shell::{cargo, run};

/// Names the server that all tests of this run share.
const POSTGRES: &str = "TOLLKEEPER_TEST_POSTGRES";

/// Many tests run at once, each with a pool or two and some with whole processes.
const CONNECTIONS: u32 = 500;

/// The test runner comes last: its summary is what a person looks for.
pub(super) fn run_suite() -> Result<(), Error> {
    // Whole-stack tests start the binaries themselves.
    run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    let postgres = Throwaway::start(CONNECTIONS)?;
    let with_postgres = |arguments: &[&str]| {
        let mut command = cargo(arguments);
        command.env(POSTGRES, postgres.url());
        command
    };
    run(&mut with_postgres(&["test", "--workspace", "--doc"]))?;
    if has_nextest() {
        let mut suite = with_postgres(&["nextest", "run", "--workspace", "--no-fail-fast"]);
        run(suite.arg(format!("--test-threads={}", at_once())))
    } else {
        run(&mut with_postgres(&[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ]))
    }
}

/// Half as many tests again as there are processors: there are always some that wait.
fn at_once() -> usize {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    processors + processors.div_ceil(2)
}

fn has_nextest() -> bool {
    Command::new("cargo-nextest")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
