//! From one release to the next without an interruption: the schema is migrated while the processes of
//! before serve, and then one process after the other is stopped and started again behind the real nginx,
//! under a load that notes every answer. No request fails, and each is counted once.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../common/clients.rs"]
mod clients;
mod next_release;
mod nginx;
mod rolling;
mod schema;
#[path = "../common/verdict.rs"]
mod verdict;
mod writers;

use std::process::{Command, Output};

use tollkeeper_testkit::TestDatabase;

/// Runs the command that is shipped, against this database.
async fn tollkeeper(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollkeeper"));
    command
        .args(arguments)
        .env_clear()
        .env("TOLLKEEPER_DATABASE_URL", &database.url);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    done.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
