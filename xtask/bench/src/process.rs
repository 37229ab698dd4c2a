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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name stands in parentheses and may hold spaces.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .ok_or("no name")?
        .1
        .split_whitespace()
        .collect();
    let ticks: f64 = fields.get(11).ok_or("no utime")?.parse::<f64>()?
        + fields.get(12).ok_or("no stime")?.parse::<f64>()?;
    // The kernel counts in hundredths for every program, whatever its own tick is.
    Ok(ticks / 100.0)
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
