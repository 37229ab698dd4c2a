//! A taken port is best reported before anything is started.

use std::net::TcpListener;

use super::Addresses;
use super::error::Error;

pub(super) fn check(addresses: Addresses) -> Result<(), Error> {
    for (setting, address) in [
        ("TOLLKEEPER_LISTEN", addresses.public),
        ("TOLLKEEPER_INTERNAL_LISTEN", addresses.api_internal),
        ("--ingestor-internal-listen", addresses.ingestor_internal),
    ] {
        if let Err(reason) = TcpListener::bind(address) {
            return Err(Error::Port {
                setting,
                address,
                reason,
            });
        }
    }
    Ok(())
}
