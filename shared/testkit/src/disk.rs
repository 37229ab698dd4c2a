//! A small disk of a test's own, to be filled up and made read-only under a running program.
//!
//! It is a file system in memory, mounted in a mount namespace that nobody else is in: no other program
//! sees it, and it ends with the last one in there. Root may make one, and so may everybody where
//! unprivileged user namespaces are allowed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::folder::temporary;

/// What takes up the room.
const BALLAST: &str = "ballast";

/// Mounts the disk and stays until its input ends, as it does with the test.
const HOLD: &str =
    r#"mount -t tmpfs -o "size=$2,mode=0755" tollkeeper-test "$1" && echo mounted && exec cat"#;

/// The ways into a namespace, and what says so to `nsenter`. The second one is for those who are not root.
const WAYS: [(&[&str], &[&str]); 2] = [
    (&["--mount"], &["--mount"]),
    (
        &["--mount", "--user", "--map-root-user"],
        &["--mount", "--user", "--preserve-credentials"],
    ),
];

/// A mounted disk.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    enter: &'static [&'static str],
    folder: TempDir,
}

impl SmallDisk {
    /// A disk of so many bytes.
    ///
    /// # Panics
    /// When this user may not mount one, with what was said about it.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let mut refusals = Vec::new();
        for (unshare, enter) in WAYS {
            let folder = temporary();
            match hold(unshare, folder.path(), bytes) {
                Ok(holder) => {
                    return Self {
                        holder,
                        enter,
                        folder,
                    };
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        panic!(
            "a full disk cannot be tested here, as none can be mounted: {}. Run the tests as root with \
             CAP_SYS_ADMIN, or allow unprivileged user namespaces.",
            refusals.join("; ")
        )
    }

    /// Where programs that are started on it see it.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes up all room that is left.
    ///
    /// # Panics
    /// When it cannot be written for another reason than that.
    pub fn fill(&self) {
        let ballast = File::options()
            .create(true)
            .append(true)
            .open(self.seen_from_here().join(BALLAST));
        let mut ballast = ballast.expect("an empty file needs no room");
        let full = loop {
            if let Err(error) = ballast.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    /// Gives the room back that [`SmallDisk::fill`] took.
    ///
    /// # Panics
    /// When it took none.
    pub fn clear(&self) {
        fs::remove_file(self.seen_from_here().join(BALLAST)).expect("it was filled");
    }

    /// From now on nothing can be opened for writing, made or deleted. Files that are open already can
    /// still be written: the kernel makes no file system read-only while there are such files (`EBUSY`),
    /// so this puts a read-only view of it in its place.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn make_read_only(&self) {
        self.inside(r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1""#);
    }

    /// The opposite of [`SmallDisk::make_read_only`].
    ///
    /// # Panics
    /// When it was not read-only.
    pub fn make_writable(&self) {
        self.inside(r#"umount --lazy "$1""#);
    }

    /// The command that another one is put behind to run on the disk.
    pub(crate) fn enter(&self) -> Vec<OsString> {
        let target = format!("--target={}", self.holder.id());
        let mut command: Vec<OsString> = vec!["nsenter".into(), target.into()];
        command.extend(self.enter.iter().map(OsString::from));
        command.push("--".into());
        command
    }

    fn inside(&self, script: &str) {
        let enter = self.enter();
        let done = Command::new(&enter[0])
            .args(&enter[1..])
            .args(["sh", "-c", script, "sh"])
            .arg(self.path())
            .output()
            .expect("nsenter is part of util-linux");
        assert!(done.status.success(), "{script}: {done:?}");
    }

    /// The disk as it is seen from outside.
    fn seen_from_here(&self) -> PathBuf {
        let inside = self.path().strip_prefix("/").expect("an absolute path");
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root")
            .join(inside)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ended = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}

/// Starts the process that holds the namespace and waits until the disk is there.
fn hold(unshare: &[&str], folder: &Path, bytes: u64) -> Result<Child, String> {
    let started = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", HOLD, "sh"])
        .arg(folder)
        .arg(bytes.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut holder = started.map_err(|error| format!("unshare: {error}"))?;
    let mut line = String::new();
    let said = BufReader::new(holder.stdout.take().expect("it is piped")).read_line(&mut line);
    if said.is_ok() && line == "mounted\n" {
        return Ok(holder);
    }
    let refused = holder.wait_with_output();
    let refused = refused.map_err(|error| error.to_string())?;
    let why = String::from_utf8_lossy(&refused.stderr);
    Err(format!("unshare {}: {}", unshare.join(" "), why.trim()))
}
