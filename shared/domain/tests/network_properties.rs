//! Sets of networks against a model that knows nothing but bits.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use tollkeeper_domain::network::{Network, NetworkSet};

/// A network as its bits: 32 or 128 of them, of which the first few count.
#[derive(Debug, Clone, Copy)]
struct Model {
    bits: u128,
    width: u32,
    prefix: u32,
}

impl Model {
    /// The network of these bits, and how it is written.
    fn new(v6: bool, bits: u128, prefix: u32) -> Self {
        let width = if v6 { 128 } else { 32 };
        let prefix = prefix % (width + 1);
        let bits = bits & u128::MAX.checked_shr(128 - width).unwrap_or(0);
        Self {
            bits: bits & Self::mask(width, prefix),
            width,
            prefix,
        }
    }

    fn mask(width: u32, prefix: u32) -> u128 {
        let all = u128::MAX.checked_shr(128 - width).unwrap_or(0);
        all & !all.checked_shr(prefix).unwrap_or(0)
    }

    fn address(&self, bits: u128) -> IpAddr {
        match self.width {
            32 => Ipv4Addr::from(u32::try_from(bits).unwrap()).into(),
            _ => Ipv6Addr::from(bits).into(),
        }
    }

    fn network(&self) -> Network {
        let text = format!("{}/{}", self.address(self.bits), self.prefix);
        text.parse().unwrap()
    }

    /// An address inside, told apart by `host`.
    fn inside(&self, host: u128) -> IpAddr {
        let all = Self::mask(self.width, self.width);
        let hosts = all & !Self::mask(self.width, self.prefix);
        self.address(self.bits | (host & hosts))
    }

    fn contains(&self, address: IpAddr) -> bool {
        let (bits, width) = match address {
            IpAddr::V4(it) => (u128::from(u32::from(it)), 32),
            IpAddr::V6(it) => match it.to_ipv4_mapped() {
                Some(it) => (u128::from(u32::from(it)), 32),
                None => (u128::from(it), 128),
            },
        };
        width == self.width && bits & Self::mask(width, self.prefix) == self.bits
    }
}

/// Networks that lie near each other, so that they often hold and often touch one another.
fn networks(most: usize) -> impl Strategy<Value = Vec<Model>> {
    let near = (any::<bool>(), 0..16_u128, 0..7_u32).prop_map(|(v6, low, up)| {
        let width = if v6 { 128 } else { 32 };
        // The mapped block is not IPv6, so this one lies elsewhere.
        let base = if v6 { 0x2001_0db8 << 96 } else { 0x0a00_0000 };
        Model::new(v6, base | low, width - up)
    });
    let far = (any::<bool>(), any::<u128>(), any::<u32>())
        .prop_map(|(v6, bits, prefix)| Model::new(v6, bits, prefix))
        .prop_filter("the mapped block is not IPv6", |it| {
            it.width == 32 || it.bits >> 32 != 0xffff
        });
    prop::collection::vec(prop_oneof![4 => near, 1 => far], 0..most)
}

fn set(models: &[Model]) -> NetworkSet {
    let networks: Vec<Network> = models.iter().map(Model::network).collect();
    networks.try_into().unwrap()
}

fn model_contains(models: &[Model], address: IpAddr) -> bool {
    models.is_empty() || models.iter().any(|it| it.contains(address))
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(models in networks(9)) {
        let networks = set(&models);
        let text = serde_json::to_string(&networks).unwrap();
        prop_assert_eq!(serde_json::from_str::<NetworkSet>(&text).unwrap(), networks.clone());
        for network in networks.iter() {
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), *network);
        }
    }

    #[test]
    fn an_address_is_in_the_set_if_its_bits_say_so(
        models in networks(9),
        v6 in any::<bool>(),
        low in 0..32_u128,
        bits in any::<u128>(),
    ) {
        let networks = set(&models);
        let near = Model::new(v6, if v6 { (0x2001_0db8 << 96) | low } else { 0x0a00_0000 | low }, 128);
        let far = Model::new(v6, bits, 128);
        for address in [near.inside(low), far.inside(bits)] {
            prop_assert_eq!(networks.contains(address), model_contains(&models, address));
            if let IpAddr::V4(v4) = address {
                let mapped = IpAddr::V6(v4.to_ipv6_mapped());
                prop_assert_eq!(networks.contains(mapped), networks.contains(address));
            }
        }
        for model in &models {
            prop_assert!(networks.contains(model.inside(bits)));
        }
    }

    #[test]
    fn what_is_within_another_set_has_no_address_outside_it(
        inner in networks(5),
        outer in networks(9),
        hosts in prop::collection::vec(any::<u128>(), 8),
    ) {
        let is_within = set(&inner).within(&set(&outer));
        let samples = || inner.iter().flat_map(|it| {
            hosts.iter().copied().chain([0, u128::MAX]).map(|host| it.inside(host))
        });
        let outside = samples().find(|it| !model_contains(&outer, *it));
        if is_within {
            prop_assert_eq!(outside, None);
            prop_assert!(!inner.is_empty() || outer.is_empty());
        }
        // Networks of few addresses: all of them decide, so that nothing is refused for nothing.
        let small = |it: &Model| it.width - it.prefix <= 6;
        if !inner.is_empty() && inner.iter().all(small) {
            let every = |it: &Model| (0..64).all(|host| model_contains(&outer, it.inside(host)));
            prop_assert_eq!(is_within, inner.iter().all(every));
        }
    }

    #[test]
    fn every_set_is_within_itself_and_within_no_rule_at_all(models in networks(9)) {
        let networks = set(&models);
        prop_assert!(networks.within(&networks));
        prop_assert!(networks.within(&NetworkSet::default()));
        prop_assert_eq!(NetworkSet::default().within(&networks), models.is_empty());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[0-9a-fA-F:./%]{0,50}") {
        if let Ok(network) = text.parse::<Network>() {
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        }
    }
}
