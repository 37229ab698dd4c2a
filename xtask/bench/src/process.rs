//! A server as a process of its own, and the CPU time that it has used.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::wait_for;

use crate::Failure;

/// A running baseline; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this very program with `task` and waits until it listens.
    pub(crate) async fn start(task: &str, arguments: &[&str]) -> Result<Self, Failure> {
        let address: SocketAddr = ([127, 0, 0, 1], ports::free()?).into();
        let child = Command::new(std::env::current_exe()?)
            .arg(task)
            .arg(address.to_string())
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()?;
        let server = Self { child, address };
        wait_for(task, async || TcpStream::connect(address).await.is_ok()).await;
        Ok(server)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// User and system time of a process so far, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    Ok(Times::of(pid)?.own)
}

/// The same of a process and of all its children, those that have ended among them.
pub(crate) fn family_cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let parent = Times::of(pid)?;
    let mut seconds = parent.own + parent.ended_children;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        // One that ends at this moment is in its parent's sum the next time.
        if let Ok(child) = Times::of(id)
            && child.parent == pid
        {
            seconds += child.own;
        }
    }
    Ok(seconds)
}

/// What the kernel has noted of a process, in seconds.
struct Times {
    parent: u32,
    own: f64,
    ended_children: f64,
}

impl Times {
    fn of(pid: u32) -> Result<Self, Failure> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The program's name stands in parentheses and may hold spaces.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // The kernel counts in hundredths for every program, whatever its own tick is.
        let seconds = |place: usize| -> Result<f64, Failure> {
            Ok(fields.get(place).ok_or("too few fields")?.parse::<f64>()? / 100.0)
        };
        Ok(Self {
            parent: fields.get(1).ok_or("no parent")?.parse()?,
            own: seconds(11)? + seconds(12)?,
            ended_children: seconds(13)? + seconds(14)?,
        })
    }
}

/// Memory of its own that a process has in RAM now. Pages of files are not in it: those of the spool are
/// the kernel's to write out and to take back.
pub(crate) fn own_bytes(pid: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.ok_or("no RssAnon")?.parse::<f64>()? * 1024.0)
}
