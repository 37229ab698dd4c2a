//! The ordinary user that Postgres runs as: it refuses to be root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Preferred names; Debian's Postgres packages make the first, every system has the second.
const NAMES: &[&str] = &["postgres", "nobody"];

/// The overflow id, `nobody` where the password file does not say otherwise.
const NOBODY: u32 = 65_534;

/// Whom a server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The user who calls.
    Caller,
    /// Another user; only root can choose one.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The caller, or an ordinary user when the caller is root.
    #[must_use]
    pub fn ordinary() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Caller;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        NAMES
            .iter()
            .find_map(|name| find(&users, name))
            .unwrap_or(Self::Other {
                uid: NOBODY,
                gid: NOBODY,
            })
    }

    /// Makes a command run as this user.
    pub fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this user.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Caller => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }

    /// Whether this user may pass through every folder on the way to `path`. Those that do not
    /// exist yet count as open.
    #[must_use]
    pub fn can_reach(self, path: &Path) -> bool {
        let Self::Other { uid, .. } = self else {
            return true;
        };
        path.ancestors()
            .skip(1)
            .filter_map(|folder| fs::metadata(folder).ok())
            .all(|folder| {
                folder.mode() & 0o001 != 0 || (folder.uid() == uid && folder.mode() & 0o100 != 0)
            })
    }
}

fn find(users: &str, wanted: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != wanted {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account::Other { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody2:x:7:8::/:/x\nnobody:x:65534:65533::/:/x\n";
        let expected = Account::Other {
            uid: 65_534,
            gid: 65_533,
        };
        assert_eq!(find(users, "nobody"), Some(expected));
        assert_eq!(find(users, "postgres"), None);
    }
}
