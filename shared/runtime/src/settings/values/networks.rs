//! A list of networks.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks in CIDR form, comma-separated; a bare address is a network of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkList(Vec<IpNet>);

/// Why a text is not a list of networks.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a network such as 10.0.0.0/8 or ::1/128")]
pub struct NetworkListError(String);

impl NetworkList {
    /// Whether the address is in one of the networks. An IPv4 address that arrived on an IPv6
    /// socket (`::ffff:10.0.0.1`) counts as the IPv4 address it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The networks.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }
}

impl FromStr for NetworkList {
    type Err = NetworkListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse::<IpNet>()
                    .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| NetworkListError(part.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_recognised() {
        let list: NetworkList = "127.0.0.0/8, ::1, 10.1.2.3".parse().unwrap();
        for inside in ["127.9.9.9", "::1", "10.1.2.3", "::ffff:127.0.0.1"] {
            assert!(list.contains(inside.parse().unwrap()), "{inside}");
        }
        assert!(!list.contains("10.1.2.4".parse().unwrap()));
    }

    #[test]
    fn the_bad_part_is_named() {
        let error = "10.0.0.0/8,nonsense".parse::<NetworkList>().unwrap_err();
        assert!(error.to_string().contains("nonsense"));
    }
}
