//! Which addresses may be connected to. The judgement is on the address that the connection is made
//! to, never on the name: a name may resolve to something else the next time.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tollkeeper_runtime::settings::NetworkList;
use url::Host;

/// No address that the name resolves to may be connected to.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the address is not public, and not in an allowed network")]
pub(in crate::webhooks) struct AddressNotAllowed;

/// Judges addresses, and resolves names to those that pass.
#[derive(Debug, Clone)]
pub(in crate::webhooks) struct Guard {
    allowed: NetworkList,
    public_too: bool,
}

impl Guard {
    /// For encrypted connections: public addresses, and those in allowed networks.
    pub(in crate::webhooks) const fn encrypted(allowed: NetworkList) -> Self {
        Self {
            allowed,
            public_too: true,
        }
    }

    /// For connections that are not: those in allowed networks alone.
    pub(in crate::webhooks) const fn plain(allowed: NetworkList) -> Self {
        Self {
            allowed,
            public_too: false,
        }
    }

    /// Whether the address may be connected to.
    pub(in crate::webhooks) fn permits(&self, address: IpAddr) -> bool {
        self.allowed.contains(address) || (self.public_too && is_public(address))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|it| guard.permits(it.ip())).collect();
            if permitted.is_empty() {
                return Err(AddressNotAllowed.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// The address in a URL that names no host but an address: nothing resolves it.
pub(in crate::webhooks) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Whether a failed request failed because of the address.
pub(in crate::webhooks) fn was_not_allowed(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<AddressNotAllowed>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether it is one address of the internet at large. What the registries of special addresses
/// (RFC 6890 and after) list is not.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // "This network", private use, loopback, link-local (where clouds keep their metadata).
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] => true,
        // Shared by carriers, and private use.
        [100, second, ..] => (64..128).contains(&second),
        [172, second, ..] => (16..32).contains(&second),
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
        [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments (Teredo among them), documentation, 6to4 (which embeds IPv4).
        [0x2001, second, ..] if second < 0x0200 => false,
        [0x2001, 0x0db8, ..] | [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Nothing else outside of 2000::/3 is global unicast, translated IPv4 included.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(allowed: &str) -> Guard {
        Guard::encrypted(allowed.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_refused() {
        let guard = guard("");
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!guard.permits(address.parse().unwrap()), "{address}");
        }
        for address in [
            "8.8.8.8",
            "100.63.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1",
        ] {
            assert!(guard.permits(address.parse().unwrap()), "{address}");
            assert!(!Guard::plain(guard.allowed.clone()).permits(address.parse().unwrap()));
        }
    }

    #[test]
    fn an_allowed_network_is_allowed_in_either_form() {
        let allowed = guard("10.1.0.0/16,fd00::/8");
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
            assert!(allowed.permits(address.parse().unwrap()), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "fc00::1"] {
            assert!(!allowed.permits(address.parse().unwrap()), "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_judged_as_the_one_it_maps(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let mapped = IpAddr::V6(plain.to_ipv6_mapped());
            prop_assert_eq!(guard("").permits(mapped), guard("").permits(plain.into()));
        }
    }

    #[tokio::test]
    async fn a_name_resolves_to_nothing_that_is_not_allowed() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = guard("").resolve(name()).await.err().unwrap();
        assert!(refused.is::<AddressNotAllowed>(), "{refused}");
        let found = guard("127.0.0.0/8").resolve(name()).await.unwrap();
        assert!(
            found.into_iter().all(|it| it.ip().is_ipv4()),
            "of a mix only what is allowed"
        );
    }
}
