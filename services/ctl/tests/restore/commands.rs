//! What is typed: by the administrator of the database, and by the operator of Tollkeeper.

use std::process::Command;

use serde_json::Value;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, binary};

use crate::runbook::{self, Runbook};

const RUNBOOK: Runbook = Runbook(include_str!(
    "../../../../docs/runbooks/backup-and-restore.md"
));

/// Runs commands of the runbook as the database's administrator, with `BACKUP` in a folder of theirs.
pub(crate) async fn as_administrator(stack: &mut Stack, comment: &str, moment: &str) {
    let server = stack.server();
    let backup = server.home().join("backup").display().to_string();
    let variables = [("BACKUP", backup.as_str()), ("MOMENT", moment)];
    let done = server.shell(&RUNBOOK.commands(comment), &variables).await;
    assert!(done.status.success(), "{comment}: {}", runbook::said(&done));
}

/// Runs commands of the runbook as the operator, and gives the exit code and what was said.
pub(crate) async fn as_operator(stack: &Stack, api: &Node, comment: &str) -> (i32, String) {
    RUNBOOK.run(comment, (stack, api), &[]).await
}

/// Runs the command of Tollkeeper with these arguments, and gives the exit code and its answer.
pub(crate) async fn tollkeeper(stack: &Stack, api: &Node, arguments: &[&str]) -> (i32, Value) {
    let mut command = Command::new(binary("tollkeeper"));
    command.args(arguments);
    let (code, said) = runbook::as_operator(command, (stack, api)).await;
    let answer = said.lines().find(|line| line.starts_with('{'));
    let answer = answer.unwrap_or_else(|| panic!("{arguments:?}: {said}"));
    (code, serde_json::from_str(answer).unwrap())
}
