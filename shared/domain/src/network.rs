//! Networks: where a token may be used from.
//!
//! An IPv4 address that arrives on an IPv6 socket (`::ffff:192.0.2.1`) is the IPv4 address it
//! carries, in a network as in an address that is looked up. So `::/0` holds no IPv4 address, and
//! whoever means every address of both kinds names no network at all.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most networks one token may be bound to. Each check goes through them.
pub const MAX_NETWORKS: usize = 64;

/// Up to here all IPv4-mapped addresses are the same.
const MAPPED_BITS: u8 = 96;

/// One network in CIDR form, such as `192.0.2.0/24`; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        format = "cidr",
        max_length = 49,
        examples("192.0.2.0/24", "2001:db8::/32"),
    )
)]
pub struct Network(IpNet);

/// Why a text is not a network. The text is fit for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither a network nor an address.
    #[error("this is not a network such as 192.0.2.0/24 or 2001:db8::/32, nor an address")]
    Form,
    /// The address is not the network's own: some hosts were meant, and which is not clear.
    #[error("bits are set beyond the prefix: the network is {0}, and the one address is {1}")]
    HostBits(IpNet, IpAddr),
}

/// There are more networks than one token may be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is bound to at most {MAX_NETWORKS} networks")]
pub struct TooManyNetworks;

impl Network {
    /// Whether the address lies in it. One of the other kind never does.
    fn contains(&self, address: &IpAddr) -> bool {
        self.0.contains(address)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = match text.parse::<IpNet>() {
            Ok(network) => network,
            Err(_) => text
                .parse::<IpAddr>()
                .map(IpNet::from)
                .map_err(|_| BadNetwork::Form)?,
        };
        if network.trunc() != network {
            return Err(BadNetwork::HostBits(network.trunc(), network.addr()));
        }
        Ok(Self(unmapped(network)))
    }
}

/// The IPv4 network that is meant where one is written as IPv6.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let bits = v6.prefix_len().checked_sub(MAPPED_BITS);
    let v4 = v6.addr().to_ipv4_mapped().zip(bits);
    v4.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok())
        .map_or(network, IpNet::V4)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The networks that a token is bound to, sorted and without repeats. None at all is no rule: then
/// it may be used from anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Network>")]
pub struct NetworkSet(Box<[Network]>);

impl NetworkSet {
    /// Whether there is no rule.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the address may be used.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.is_any() || self.iter().any(|network| network.contains(&address))
    }

    /// Whether every address of this set is one of `other`, be it by several networks of `other`
    /// together.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        if other.is_any() || self.is_any() {
            return other.is_any();
        }
        let others: Vec<IpNet> = other.iter().map(|network| network.0).collect();
        // As few as there can be: a network within all of them is within one of these.
        let others = IpNet::aggregate(&others);
        self.iter()
            .all(|network| others.iter().any(|other| other.contains(&network.0)))
    }

    /// The networks in order.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }

    /// What it takes in memory beside itself, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl TryFrom<Vec<Network>> for NetworkSet {
    type Error = TooManyNetworks;

    fn try_from(mut networks: Vec<Network>) -> Result<Self, Self::Error> {
        if networks.len() > MAX_NETWORKS {
            return Err(TooManyNetworks);
        }
        networks.sort_unstable();
        networks.dedup();
        Ok(Self(networks.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> NetworkSet {
        let networks: Vec<Network> = texts.iter().map(|text| text.parse().unwrap()).collect();
        networks.try_into().unwrap()
    }

    fn shown(text: &str) -> Result<String, BadNetwork> {
        text.parse::<Network>().map(|network| network.to_string())
    }

    #[test]
    fn networks_have_one_form() {
        for (text, form) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::/80", "::/80"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(form), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_host_bits_are_told() {
        for text in [
            "",
            " ",
            "192.0.2.0/33",
            "192.0.2.0/-1",
            "192.0.2/24",
            "192.0.2.0/255.255.255.0",
            "192.0.2.0 /24",
            " 192.0.2.0/24",
            "fe80::1%eth0",
            "[::1]",
            "::1/129",
            "example.com",
        ] {
            assert_eq!(shown(text), Err(BadNetwork::Form), "{text}");
        }
        let error = shown("192.0.2.7/24").unwrap_err();
        assert!(error.to_string().contains("the network is 192.0.2.0/24"));
        assert!(matches!(
            shown("2001:db8::1/32"),
            Err(BadNetwork::HostBits(..))
        ));
        // The mapped prefix itself is beyond this one.
        assert!(matches!(
            shown("::ffff:0:0/90"),
            Err(BadNetwork::HostBits(..))
        ));
    }

    #[test]
    fn no_network_is_no_rule() {
        let any = NetworkSet::default();
        assert!(any.contains("192.0.2.1".parse().unwrap()) && any.is_any());
        let all = set(&["0.0.0.0/0", "::/0"]);
        assert!(all.within(&any) && !any.within(&all) && any.within(&any));
    }

    #[test]
    fn mapped_addresses_are_the_ipv4_addresses_they_carry() {
        let rules = set(&["192.0.2.0/24", "2001:db8::/32"]);
        for inside in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:ffff::1"] {
            assert!(rules.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.0.3.1", "::ffff:192.0.3.1", "2001:db9::1", "::1"] {
            assert!(!rules.contains(outside.parse().unwrap()), "{outside}");
        }
        let six = set(&["::/0"]);
        assert!(!six.contains("::ffff:192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn several_networks_together_hold_a_wider_one() {
        let halves = set(&["10.0.0.0/9", "10.128.0.0/9", "2001:db8::/32"]);
        assert!(set(&["10.0.0.0/8"]).within(&halves));
        assert!(set(&["10.9.0.0/16", "2001:db8:1::/48"]).within(&halves));
        assert!(!set(&["10.0.0.0/7"]).within(&halves));
        assert!(!set(&["10.0.0.1", "::1"]).within(&halves));
    }

    #[test]
    fn a_set_is_sorted_without_repeats_and_bounded() {
        let both = set(&["192.0.2.0/24", "::1", "10.0.0.0/8", "::ffff:192.0.2.0/120"]);
        let text = serde_json::to_string(&both).unwrap();
        assert_eq!(text, r#"["10.0.0.0/8","192.0.2.0/24","::1/128"]"#);
        assert_eq!(serde_json::from_str::<NetworkSet>(&text).unwrap(), both);
        assert!(serde_json::from_str::<NetworkSet>(r#"["10.0.0.1/8"]"#).is_err());
        let many: Vec<Network> = (0..=64_u32)
            .map(|it| std::net::Ipv4Addr::from(it).to_string().parse().unwrap())
            .collect();
        assert!(NetworkSet::try_from(many[..64].to_vec()).is_ok());
        assert_eq!(NetworkSet::try_from(many), Err(TooManyNetworks));
    }
}
