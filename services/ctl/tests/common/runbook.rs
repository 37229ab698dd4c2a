//! The commands of a runbook, run as it shows them.

use std::process::{Command, Output};

use tollkeeper_testkit::stack::{Node, OPERATOR_KEY};
use tollkeeper_testkit::{Stack, binary};

/// The text of a runbook.
pub(crate) struct Runbook(pub(crate) &'static str);

impl Runbook {
    /// The commands below this comment.
    pub(crate) fn commands(&self, comment: &str) -> String {
        let begin = format!("# {comment}\n");
        let mut found = self.0.match_indices(&begin).map(|(at, _)| &self.0[at..]);
        let rest = found.next();
        let rest = rest.unwrap_or_else(|| panic!("no commands: {comment}"));
        assert!(found.next().is_none(), "twice: {comment}");
        let (commands, _) = rest.split_once("```").unwrap();
        // Within a list they are indented, and so is nothing that counts its spaces.
        let lines = commands.lines().map(str::trim_start);
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Runs the commands below this comment as an operator with these variables; gives the exit code and
    /// what was said.
    pub(crate) async fn run(
        &self,
        comment: &str,
        (stack, api): (&Stack, &Node),
        variables: &[(&str, &str)],
    ) -> (i32, String) {
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &self.commands(comment)])
            .envs(variables.iter().copied());
        as_operator(command, (stack, api)).await
    }
}

/// Runs a command with what an operator has set.
pub(crate) async fn as_operator(
    mut command: Command,
    (stack, api): (&Stack, &Node),
) -> (i32, String) {
    let programs = binary("tollkeeper");
    let programs = programs.parent().unwrap();
    command
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
        .env("TOLLKEEPER_NATS_URL", stack.nats.url())
        .env("TOLLKEEPER_URL", format!("http://{}", api.public))
        .env("TOLLKEEPER_API_KEY", OPERATOR_KEY);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    let done = done.unwrap().unwrap();
    (done.status.code().unwrap(), said(&done))
}

/// All that a program has said.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}
