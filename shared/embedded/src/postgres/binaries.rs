//! Finding Postgres's programs. Debian keeps them off `PATH`, a folder per version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the schema needs.
const OLDEST: u32 = 15;

/// What is run of it.
const NEEDED: &[&str] = &["initdb", "postgres", "pg_isready"];

/// Where the programs of one Postgres version are.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The newest installation that is new enough.
    #[must_use]
    pub fn find() -> Option<Self> {
        let packaged = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .map(|version| version.path().join("bin"));
        let path = env::var_os("PATH").unwrap_or_default();
        packaged
            .chain(env::split_paths(&path))
            .filter_map(|folder| Self::in_folder(&folder))
            .filter(|found| found.major >= OLDEST)
            .max_by_key(|found| found.major)
    }

    /// The path of a program, such as `initdb`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        // A folder on `PATH` may hold links to some of the programs: follow them to all of them.
        let folder = folder.join("postgres").canonicalize().ok()?;
        let folder = folder.parent()?;
        if !NEEDED.iter().all(|name| folder.join(name).exists()) {
            return None;
        }
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let version = String::from_utf8_lossy(&output.stdout);
        Some(Self {
            folder: folder.to_owned(),
            major: major(&version)?,
        })
    }
}

/// From `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` or `... 18beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split(") ").nth(1)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        let debian = "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n";
        assert_eq!(major(debian), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
