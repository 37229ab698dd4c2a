//! Where a request comes from: the rightmost hop that is not a trusted proxy. Whatever stands left of
//! it was written by somebody who cannot be believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use tollkeeper_runtime::settings::{NetworkList, UsageIp};

/// The header in which proxies tell who asked them.
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// How far back the way of a request is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The farthest hop that can be believed.
    pub farthest: IpAddr,
    /// Whether that is the client, and not a proxy that says nothing readable of who asked it.
    pub is_whole: bool,
}

impl Way {
    /// Follows the way back from `peer`.
    #[must_use]
    pub fn of(headers: &HeaderMap, peer: IpAddr, trusted: &NetworkList) -> Self {
        Self::along(headers.get_all(FORWARDED_FOR).iter(), peer, trusted)
    }

    /// Follows the way back from `peer` along the lines of its header.
    pub(crate) fn along<'a>(
        lines: impl DoubleEndedIterator<Item = &'a HeaderValue>,
        peer: IpAddr,
        trusted: &NetworkList,
    ) -> Self {
        let mut farthest = peer.to_canonical();
        let whole = |farthest| Self {
            farthest,
            is_whole: true,
        };
        if !trusted.contains(farthest) {
            return whole(farthest);
        }
        for line in lines.rev() {
            for hop in line.as_bytes().rsplit(|byte| *byte == b',') {
                let hop = hop.trim_ascii();
                if hop.is_empty() {
                    continue;
                }
                let Some(hop) = address(hop) else {
                    return Self {
                        farthest,
                        is_whole: false,
                    };
                };
                farthest = hop;
                if !trusted.contains(hop) {
                    return whole(hop);
                }
            }
        }
        whole(farthest)
    }

    /// The client's address, where it is known.
    #[must_use]
    pub fn client(self) -> Option<IpAddr> {
        self.is_whole.then_some(self.farthest)
    }
}

/// An address, which some proxies write with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let alone = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let with_port = || hop.parse::<SocketAddr>().map(|hop| hop.ip());
    let parsed = alone.unwrap_or(hop).parse().or_else(|_| with_port());
    parsed.ok().map(|hop: IpAddr| hop.to_canonical())
}

/// The address as far as it may be kept.
#[must_use]
pub fn kept(ip: IpAddr, how: UsageIp) -> Option<IpAddr> {
    match (how, ip.to_canonical()) {
        (UsageIp::Full, ip) => Some(ip),
        (UsageIp::None, _) => None,
        (UsageIp::Network, IpAddr::V4(ip)) => {
            Some(IpAddr::V4((u32::from(ip) & 0xffff_ff00).into()))
        }
        (UsageIp::Network, IpAddr::V6(ip)) => {
            let network = u128::from(ip) >> 80 << 80;
            Some(IpAddr::V6(network.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(lines: &[&'static str], peer: &str) -> Way {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let trusted = "127.0.0.0/8,10.0.0.0/8,::1/128".parse().unwrap();
        Way::of(&headers, peer.parse().unwrap(), &trusted)
    }

    fn client(lines: &[&'static str], peer: &str) -> Option<String> {
        way(lines, peer).client().map(|ip| ip.to_string())
    }

    #[test]
    fn the_client_is_the_rightmost_hop_that_is_not_ours() {
        let several = ["1.1.1.1, 203.0.113.9, 10.1.2.3"];
        assert_eq!(client(&several, "127.0.0.1").unwrap(), "203.0.113.9");
        assert_eq!(client(&several, "::ffff:127.0.0.1").unwrap(), "203.0.113.9");
        assert_eq!(client(&several, "::1").unwrap(), "203.0.113.9");
        let lines = ["1.1.1.1", "203.0.113.9", "10.9.9.9,10.1.2.3"];
        assert_eq!(client(&lines, "10.0.0.1").unwrap(), "203.0.113.9");
        assert_eq!(client(&["10.1.2.3"], "127.0.0.1").unwrap(), "10.1.2.3");
        assert_eq!(client(&[], "127.0.0.1").unwrap(), "127.0.0.1");
        assert_eq!(client(&["", " , "], "127.0.0.1").unwrap(), "127.0.0.1");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(
            client(&["10.1.2.3"], "198.51.100.7").unwrap(),
            "198.51.100.7"
        );
        assert_eq!(
            client(&["nonsense"], "198.51.100.7").unwrap(),
            "198.51.100.7"
        );
    }

    #[test]
    fn addresses_may_have_a_port() {
        for (hop, ip) in [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("[2001:db8::1]:51234", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(client(&[hop], "127.0.0.1").as_deref(), Some(ip), "{hop}");
        }
    }

    #[test]
    fn beyond_a_hop_that_cannot_be_read_nobody_is_known() {
        for hop in [
            "unknown",
            "_hidden",
            "203.0.113.9/32",
            "203.0.113",
            "203.0.113.9 8.8.8.8",
            "[203.0.113.9",
        ] {
            let way = way(&[hop, "10.1.2.3"], "127.0.0.1");
            assert_eq!(way.client(), None, "{hop}");
            assert_eq!(way.farthest.to_string(), "10.1.2.3", "{hop}");
        }
        // Right of it all is well.
        assert_eq!(
            client(&["nonsense, 203.0.113.9, 10.1.2.3"], "127.0.0.1").unwrap(),
            "203.0.113.9"
        );
    }

    #[test]
    fn addresses_are_kept_as_far_as_allowed() {
        let shown = |ip: &str, how| kept(ip.parse().unwrap(), how).map(|ip| ip.to_string());
        assert_eq!(
            shown("203.0.113.9", UsageIp::Network).as_deref(),
            Some("203.0.113.0")
        );
        assert_eq!(
            shown("2001:db8:1:2::3", UsageIp::Network).as_deref(),
            Some("2001:db8:1::")
        );
        assert_eq!(
            shown("::ffff:203.0.113.9", UsageIp::Full).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(shown("203.0.113.9", UsageIp::None), None);
    }
}
