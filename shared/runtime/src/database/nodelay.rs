//! What is written leaves at once (`TCP_NODELAY`).
//!
//! sqlx 0.9.0 does not ask for that, by mistake (issue 4335 of its repository). Nagle's algorithm then
//! keeps the end of each `COPY` until Postgres has acknowledged the rows before it, which takes 40 ms. A
//! connection does not show its socket, so all sockets of the process are asked for it. To be removed with
//! the first version of sqlx that does it by itself.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::BorrowedFd;

use procfs::process::{FDTarget, Process};
use socket2::SockRef;

/// Sets the option for all TCP connections of this process.
///
/// # Errors
/// When the system does not tell which files are open.
pub(super) fn send_at_once() -> io::Result<()> {
    let files = Process::myself().and_then(|process| process.fd());
    for file in files.map_err(io::Error::other)? {
        let Ok(file) = file else { continue };
        if !matches!(file.target, FDTarget::Socket(_)) {
            continue;
        }
        // SAFETY: should the file be closed meanwhile, the call fails; should its number name another
        // one by then, the option is refused there, or does no harm.
        let socket = unsafe { BorrowedFd::borrow_raw(file.fd) };
        // What is no TCP connection knows no such option.
        let _refused = SockRef::from(&socket).set_tcp_nodelay(true);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_that_waits_sends_at_once_then() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!connection.nodelay().unwrap());
        send_at_once().unwrap();
        assert!(connection.nodelay().unwrap());
    }
}
