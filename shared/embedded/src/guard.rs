//! A server must not outlive its owner, not even one that was killed with SIGKILL.
//!
//! The kernel's own means (`PR_SET_PDEATHSIG`) looks at the thread that started the child, and in a
//! test or a runtime that thread ends long before its process. So a small shell waits on a pipe
//! that only the owner holds: when the pipe closes without a farewell, it ends the server.
//!
//! It is started before the server and told the server's id right after; the instants between are
//! the only ones in which a killed owner could leave a server behind.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::process::Signal;

/// Arguments: signal, tenths of a second until SIGKILL, folder to remove (may be empty).
const SCRIPT: &str = r#"
read -r server || exit 0
read -r farewell && exit 0
kill -s "$1" "$server" 2>/dev/null
left=$2
while kill -s 0 "$server" 2>/dev/null; do
    if [ "$left" -le 0 ]; then kill -s KILL "$server" 2>/dev/null; break; fi
    left=$((left - 1))
    sleep 0.1
done
[ -z "$3" ] || rm -rf -- "$3"
"#;

#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    pub(crate) fn start(signal: Signal, patience: u32, rubbish: Option<&Path>) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "tollkeeper-guard", signal.name()])
            .arg(patience.to_string())
            .arg(rubbish.unwrap_or(Path::new("")))
            .current_dir("/")
            // A Ctrl-C or a test runner's time-out reaches the owner's group only.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    pub(crate) fn watch(&mut self, server: u32) -> io::Result<()> {
        match &mut self.pipe {
            Some(pipe) => writeln!(pipe, "{server}"),
            None => Ok(()),
        }
    }

    /// The server has ended and its id may soon be another's.
    pub(crate) fn dismiss(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A guard that is gone cannot do harm.
            let _ = writeln!(pipe, "farewell");
        }
        let _ = self.shell.wait();
    }
}
