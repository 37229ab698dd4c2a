//! TCP ports on the loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A port that was free a moment ago. Another process may take it before it is used, so whoever
/// starts a server on it tries again with another.
///
/// # Errors
/// When the operating system has none left.
pub fn free() -> io::Result<u16> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(probe.local_addr()?.port())
}
