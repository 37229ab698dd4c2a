//! TCP ports on the loopback.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// A port that was free a moment ago, and that the operating system gives to nobody who does not
/// ask for this very port during the next minute.
///
/// One connection to it is made and ended by this side, which is left in `TIME-WAIT` (RFC 9293,
/// section 3.3.2). A listener may take the port all the same, as servers set `SO_REUSEADDR`.
///
/// # Errors
/// When the operating system has none left.
pub fn free() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let mut client = TcpStream::connect(address)?;
    drop(listener.accept()?);
    client.read_to_end(&mut Vec::new())?;
    Ok(address.port())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_port_is_given_to_whoever_asks_for_it_alone() {
        let ports: HashSet<u16> = (0..200).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 200);
        let elsewhere: Vec<TcpListener> = (0..500)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        for listener in &elsewhere {
            assert!(!ports.contains(&listener.local_addr().unwrap().port()));
        }
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}
