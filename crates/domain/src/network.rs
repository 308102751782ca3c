//! Which addresses the service may fetch from.
//!
//! The rule is a list of what is *not* globally reachable, after the IANA special-purpose address
//! registries for IPv4 and IPv6 (RFC 6890 and its updates); whatever embeds an IPv4 address is
//! judged by the address it embeds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::{Invalid, MediaUrl, source::Host};

/// Whether `address` belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

#[expect(clippy::unnested_or_patterns, reason = "a line a registry entry")]
const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, ..)          // this network, private, loopback
            | (100, 64..=127, _)    // shared address space (carrier-grade NAT)
            | (169, 254, _)         // link-local, cloud metadata
            | (172, 16..=31, _)     // private
            | (192, 0, 0 | 2)       // protocol assignments, documentation
            | (192, 31, 196)        // AS112
            | (192, 52, 193)        // AMT
            | (192, 88, 99)         // 6to4 relay, deprecated
            | (192, 168, _)         // private
            | (192, 175, 48)        // AS112
            | (198, 18..=19, _)     // benchmarking
            | (198, 51, 100)        // documentation
            | (203, 0, 113)         // documentation
            | (224..=255, ..) // multicast, reserved, broadcast
    )
}

#[expect(clippy::unnested_or_patterns, reason = "a line a registry entry")]
const fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Only 2000::/3 is global unicast; NAT64, mapped and compatible addresses lie outside of it.
    if segments[0] & 0xe000 != 0x2000 {
        return false;
    }
    !matches!(
        (segments[0], segments[1]),
        (0x2001, 0x0000..=0x01ff)       // Teredo, ORCHID, benchmarking, other protocol assignments
            | (0x2001, 0x0db8)          // documentation
            | (0x2002, _)               // 6to4
            | (0x2620, 0x004f)          // AS112 (2620:4f:8000::/48)
            | (0x3fff, 0x0000..=0x0fff) // documentation
    )
}

/// The public-address rule together with the networks that the operator exempts from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    exempt: Vec<IpNet>,
}

impl AddressPolicy {
    /// The public internet and `exempt`.
    pub fn new(exempt: Vec<IpNet>) -> Self {
        Self { exempt }
    }

    /// Whether a connection to `address` and `port` may be made: ports 80 and 443 of a public
    /// address, any port of an exempted one.
    pub fn admits(&self, address: IpAddr, port: u16) -> bool {
        self.is_exempt(address) || (is_public(address) && matches!(port, 80 | 443))
    }

    /// Refuses what is wrong whatever its name resolves to, before a job exists.
    ///
    /// # Errors
    /// `unsupported_source` for a literal address that is not admitted, and for a port that no
    /// address could make right.
    pub fn screen(&self, url: &MediaUrl) -> Result<(), Invalid> {
        let port = url.port();
        match url.host() {
            Host::Address(address) if !self.admits(address, port) => Err(Invalid::new(
                "unsupported_source",
                "must name a public address, on port 80 or 443",
            )),
            Host::Name(_) if !matches!(port, 80 | 443) && self.exempt.is_empty() => {
                Err(Invalid::new("unsupported_source", "must use port 80 or 443"))
            }
            Host::Address(_) | Host::Name(_) => Ok(()),
        }
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        self.exempt.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressPolicy, is_public};
    use crate::MediaUrl;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn special_purpose_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ] {
            assert!(!is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn neighbours_of_special_ranges_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860::8888",
        ] {
            assert!(is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn only_web_ports_and_exempted_networks_are_admitted() {
        let strict = AddressPolicy::default();
        let intranet = AddressPolicy::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        assert!(strict.admits(ip("8.8.8.8"), 443));
        assert!(!strict.admits(ip("8.8.8.8"), 22));
        assert!(!strict.admits(ip("10.1.2.3"), 443));
        assert!(intranet.admits(ip("10.1.2.3"), 8080));
        assert!(intranet.admits(ip("::ffff:10.1.2.3"), 8080));
        assert!(!intranet.admits(ip("192.168.0.1"), 80));
    }

    #[test]
    fn a_name_is_left_to_the_job_and_a_literal_is_judged_at_once() {
        let strict = AddressPolicy::default();
        let screen = |text: &str| strict.screen(&MediaUrl::parse(text).expect("a URL")).is_ok();
        assert!(screen("https://localhost/a.wav"));
        assert!(!screen("http://127.0.0.1/a.wav"));
        assert!(!screen("http://2130706433/a.wav"));
        assert!(!screen("http://0x7f.1/a.wav"));
        assert!(!screen("http://[::ffff:127.0.0.1]/"));
        assert!(!screen("https://example.com:8443/a.wav"));
    }

    proptest! {
        #[test]
        fn every_embedding_of_an_ipv4_address_is_refused(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits).octets();
            let [a, b, c, d] = v4;
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for v6 in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 0),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
            ] {
                prop_assert!(!is_public(IpAddr::V6(v6)), "{}", v6);
            }
        }
    }
}
