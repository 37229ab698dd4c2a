//! The folder that everything is kept in.

use std::fs::{self, File, Permissions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tollkeeper_embedded::account::Account;
use tollkeeper_embedded::postgres::PostgresConfig;

use super::error::Error;
use crate::out::say;

/// How often the earlier children are looked for.
const GLANCE: Duration = Duration::from_millis(100);

/// How often in all: a minute. Their guards give them ten seconds, and then none.
const GLANCES: usize = 600;

/// The folder, locked for this process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
    /// Handed down to every child, so that it stays locked until the last of them has ended.
    children: File,
}

impl Folder {
    /// Makes the folder if need be and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let wrap = |reason| Error::Folder {
            path: path.to_owned(),
            reason,
        };
        let logs = path.join("logs");
        fs::create_dir_all(&logs).map_err(wrap)?;
        // Postgres runs as another user when this runs as root: it may pass, but not look around.
        fs::set_permissions(path, Permissions::from_mode(0o711)).map_err(wrap)?;
        let path = path.canonicalize().map_err(wrap)?;
        let lock = File::create(path.join("lock")).map_err(wrap)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(path)),
            Err(TryLockError::Error(reason)) => return Err(wrap(reason)),
        }
        let children = File::create(path.join("children.lock")).map_err(wrap)?;
        fcntl_setfd(&children, FdFlags::empty()).map_err(|reason| wrap(reason.into()))?;
        Ok(Self {
            path,
            _lock: lock,
            children,
        })
    }

    /// Waits for what an `up` that was killed has left: its guards end it, but not at once, and two brokers
    /// on one store or two nodes on one spool do harm.
    pub(super) async fn wait_for_earlier_children(&self) -> Result<(), Error> {
        for glance in 0..GLANCES {
            match self.children.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(reason)) => {
                    let path = self.path.clone();
                    return Err(Error::Folder { path, reason });
                }
                Err(TryLockError::WouldBlock) if glance == 0 => {
                    say("waiting for what was left by a `tollkeeper up` that was killed");
                }
                Err(TryLockError::WouldBlock) => {}
            }
            tokio::time::sleep(GLANCE).await;
        }
        Err(Error::Leftover(self.path.clone()))
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// Where Postgres keeps its data: inside, unless its user cannot get there (a checkout in
    /// root's home, say).
    pub(super) fn postgres_data(&self) -> PathBuf {
        let inside = self.join("postgres");
        if Account::ordinary().can_reach(&inside) {
            inside
        } else {
            Path::new("/var/lib/tollkeeper").join(self.digest())
        }
    }

    /// Where Postgres's socket goes. A socket's path has a small bound, a folder's has none.
    pub(super) fn postgres_socket(&self) -> PathBuf {
        let inside = self.join("run");
        if Account::ordinary().can_reach(&inside) && !PostgresConfig::is_too_deep(&inside) {
            inside
        } else {
            Path::new("/tmp").join(format!("tollkeeper-{}", self.digest()))
        }
    }

    /// Writes a file that only its owner can read, whole or not at all.
    pub(super) fn write_private(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.join(name);
        let unfinished = self.join(&format!("{name}.unfinished"));
        let write = || -> io::Result<()> {
            let mut file = File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(|reason| Error::Folder { path, reason })
    }

    /// The text of a file, if there is one.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(Error::Folder { path, reason }),
        }
    }

    fn digest(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.path.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}
