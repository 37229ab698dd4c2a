//! A server in the hands of an administrator, who types commands on its machine.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use tollkeeper_embedded::account::Account;
use tollkeeper_embedded::install;
use tollkeeper_embedded::postgres::USER;

use super::private::PrivatePostgres;
use crate::folder::blocking;

impl PrivatePostgres {
    /// Runs commands of a shell as the user of the server, with Postgres' own programs at hand, which find
    /// the server by themselves (`PGHOST` and the like, and `PGDATA`), and these variables. The first
    /// command that fails ends it.
    ///
    /// # Panics
    /// When there is no shell.
    pub async fn shell(&self, commands: &str, variables: &[(&str, &str)]) -> Output {
        let binaries = install::postgres(&crate::folder::say).expect("it was there before");
        let program = binaries.program("psql");
        let programs = program.parent().expect("a program is in a folder");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = [programs.to_owned()]
            .into_iter()
            .chain(env::split_paths(&path));
        let path = env::join_paths(path).expect("a path without a colon");
        let own: [(&str, OsString); 7] = [
            ("PATH", path),
            ("HOME", self.home().as_os_str().into()),
            ("PGHOST", self.config.sockets.as_os_str().into()),
            ("PGPORT", self.config.port.to_string().into()),
            ("PGUSER", USER.into()),
            ("PGPASSWORD", self.config.password.as_str().into()),
            ("PGDATA", self.config.data.as_os_str().into()),
        ];
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", commands])
            .env_clear()
            .envs(own)
            .envs(variables.iter().copied())
            .current_dir("/");
        Account::ordinary().apply(&mut command);
        let run = move || command.output().expect("there is a shell");
        blocking(run).await
    }

    /// A folder in which the server's user may do what they like, and where the server's data is.
    ///
    /// # Panics
    /// When it cannot be given to them.
    #[must_use]
    pub fn home(&self) -> &Path {
        Account::ordinary()
            .own(self.folder.path())
            .expect("an own folder can be given away");
        self.folder.path()
    }
}
